"""AWS's errors become Holdfast's, so that the right one acts; shown on real HTTP answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from examples.cloud_costs import aws, prices
from holdfast.errors import Correctable, Fatal, ToolError, Transient, Unauthorised

EU = "eu-west-1"


class Answers(ThreadingHTTPServer):
    """Answers every request alike, and counts them."""

    status = 200
    body = ""
    asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Answers]:
    with Answers(("127.0.0.1", 0), _Handler) as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def server(endpoint: Answers, monkeypatch: pytest.MonkeyPatch) -> Answers:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_PRICING"):
        monkeypatch.setenv(name, endpoint.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    endpoint.status, endpoint.body, endpoint.asked = 200, "", 0
    return endpoint


@pytest.mark.parametrize(
    "status,code,error",
    [
        (503, "RequestLimitExceeded", Transient),
        (400, "SnapshotCreationPerVolumeRateExceeded", Transient),
        (500, "InternalError", Transient),
        (502, "", Transient),
        (401, "AuthFailure", Unauthorised),
        (403, "UnauthorizedOperation", Unauthorised),
        (400, "RequestExpired", Unauthorised),
        (400, "InvalidInstanceID.NotFound", Correctable),
        (400, "IncorrectInstanceState", Correctable),
        (400, "SomethingNew", Correctable),
    ],
)
def test_each_error_of_aws_has_its_owner(
    server: Answers, status: int, code: str, error: type[ToolError]
) -> None:
    """The code or the status decides; and boto3 asked once, since retrying is Temporal's."""
    server.status = status
    server.body = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>because</Message></Error></Errors></Response>"
        if code
        else "<html>bad gateway</html>"
    )
    with pytest.raises(error) as raised:
        aws.instance(EU, "i-0123456789abcdef0")
    assert "look at i-0123456789abcdef0" in str(raised.value)
    assert server.asked == 1


def test_a_volume_that_was_just_snapshot_is_tried_again_after_its_interval(server: Answers) -> None:
    """AWS takes one snapshot of a volume in 15 seconds; the error says how long to wait."""
    server.status = 400
    server.body = (
        "<Response><Errors><Error><Code>SnapshotCreationPerVolumeRateExceeded</Code>"
        "<Message>later</Message></Error></Errors></Response>"
    )
    with pytest.raises(Transient) as raised:
        aws.instance(EU, "i-0123456789abcdef0")
    assert raised.value.retry_after == 15


def test_no_connection_is_transient(monkeypatch: pytest.MonkeyPatch, server: Answers) -> None:
    """A port that nobody listens on may be back at the next attempt."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(Transient):
            aws.instance(EU, "i-0123456789abcdef0")


def test_missing_credentials_are_for_a_human_and_read_afresh(
    monkeypatch: pytest.MonkeyPatch, server: Answers, tmp_path: Path
) -> None:
    """Without credentials a human is asked; once they are there the same process works."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # Another endpoint name for the same server: a client that was built before still has its credentials.
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(Unauthorised, match="Set AWS_PROFILE"):
        aws.instance(EU, "i-0123456789abcdef0")
    file.write_text("[default]\naws_access_key_id=a\naws_secret_access_key=b\n", encoding="utf-8")
    server.status = 503
    server.body = "<Response><Errors><Error><Code>Unavailable</Code></Error></Errors></Response>"
    with pytest.raises(Transient):
        aws.instance(EU, "i-0123456789abcdef0")


# ------------------------------------------------------------------------------------------------ prices


@pytest.mark.parametrize(
    "region,instance_type,monthly",
    [
        ("us-east-1", "m5.large", "70.08"),
        ("us-east-1", "t3.nano", "3.80"),
        ("us-east-1", "c5.9xlarge", "1116.90"),
        ("eu-west-1", "r5.2xlarge", "411.72"),
        ("eu-west-1", "g4dn.xlarge", "428.51"),
    ],
)
def test_known_prices(region: str, instance_type: str, monthly: str) -> None:
    """730 hours at the list price, in cents."""
    assert prices.monthly_cost_usd(region, instance_type) == Decimal(monthly)


def test_an_unknown_price_is_none_not_a_guess(server: Answers) -> None:
    """When the Price List API cannot say either, there is no price; and it is not asked for each instance anew."""
    server.status, server.body = 403, json.dumps({"__type": "AccessDeniedException", "message": "no"})
    assert prices.monthly_cost_usd("eu-north-1", "x9z.large") is None
    assert prices.monthly_cost_usd("eu-north-1", "x9z.large") is None
    assert server.asked == 1


def test_other_types_are_priced_by_aws(server: Answers) -> None:
    """A type or region outside the table costs what AWS's Price List API says, asked once."""
    product = {
        "terms": {
            "OnDemand": {"a": {"priceDimensions": {"b": {"unit": "Hrs", "pricePerUnit": {"USD": "0.1150"}}}}}
        }
    }
    server.body = json.dumps({"FormatVersion": "aws_v1", "PriceList": [json.dumps(product)]})
    assert prices.monthly_cost_usd("eu-central-1", "m5.large") == Decimal("83.95")
    assert prices.monthly_cost_usd("eu-central-1", "m5.large") == Decimal("83.95")
    assert server.asked == 1


def test_own_prices_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file with negotiated prices outranks the table."""
    file = tmp_path / "prices.json"
    file.write_text('{"eu-west-1": {"m5.large": 0.05}}', encoding="utf-8")
    monkeypatch.setenv("CLOUD_COSTS_PRICES", str(file))
    assert prices.monthly_cost_usd("eu-west-1", "m5.large") == Decimal("36.50")
    assert prices.monthly_cost_usd("eu-west-1", "m5.xlarge") == Decimal("156.22")


@pytest.mark.parametrize("content", [None, "not json", '["a list"]', '{"eu-west-1": {"m5.large": "cheap"}}'])
def test_a_broken_price_file_is_said_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    """The message names the file and shows what it must look like."""
    file = tmp_path / "prices.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    monkeypatch.setenv("CLOUD_COSTS_PRICES", str(file))
    with pytest.raises(Fatal, match="must look like"):
        prices.monthly_cost_usd("eu-west-1", "m5.large")
