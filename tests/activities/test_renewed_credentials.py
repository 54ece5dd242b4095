"""A model that refuses a token: it is renewed once, by whoever has a new one, and the request is sent once more."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from holdfast import Agent, Finish, PlanView, Rules
from holdfast.contracts.accounts import ZERO, AccountView
from holdfast.testing import Answer, Fault, ModelRequest, fault, say
from tests.stage import CLAUDE, SetStage, Stage, unique

PARKS = Agent(name="short-lived", instructions="Answer.", ladder=[CLAUDE])


def plan(view: PlanView) -> Finish:
    """Answers without a model."""
    return Finish(f"by rules: {view.task}")


FALLS = Agent(name="short-lived-rules", instructions="Answer.", ladder=[CLAUDE, Rules(plan)])


class Profile:
    """A profile of the SDK on disk, whose token another process renews."""

    def __init__(self, folder: Path, *, base_url: str = "", **authentication: str) -> None:
        self._folder = folder
        authentication = {"type": "user_oauth", **authentication}
        self.write(
            "configs", {"authentication": authentication, **({"base_url": base_url} if base_url else {})}
        )

    def write(self, kind: str, content: object) -> None:
        path = self._folder / kind / "default.json"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(json.dumps(content))
        path.chmod(0o600)

    def token(self, token: str, **more: object) -> None:
        """What the profile says from now on."""
        self.write("credentials", {"access_token": token, **more})


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the worker find the profile, and no key: once the stage is set."""

    def begin() -> None:
        for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))

    return begin


def keys(on: Stage) -> list[str]:
    """The tokens that the model was asked with."""
    return [request.api_key for request in on.model.requests]


class Api:
    """The model: it takes the tokens that it knows, and tells `hears` of each that it refuses."""

    def __init__(self, *valid: str) -> None:
        self.valid = set(valid)
        self.hears: Callable[[], object] = list

    def answer(self, request: ModelRequest) -> Answer | Fault:
        """What it answers."""
        if request.api_key in self.valid:
            return say("Done.")
        self.hears()
        return fault(401, "the token expired")


async def test_a_token_that_was_renewed_on_disk_is_read_again(
    stage: SetStage, use: Callable[[], None], tmp_path: Path
) -> None:
    """Refused, read again, sent again: one attempt, and one call is paid. The same token is not sent twice."""
    profile, api = Profile(tmp_path), Api("new")
    profile.token("old")
    api.hears = lambda: profile.token("new")
    async with stage([PARKS, FALLS], api.answer) as on:
        use()
        user = unique("ana")
        run = await on.start(user=user)
        assert await run.result() == "Done."
        assert keys(on) == ["old", "new"]
        outcome = await run.outcome()
        assert outcome.usage.model_calls == 1
        assert outcome.failure_counts == {}
        account = on.client.temporal.get_workflow_handle(f"holdfast-account/user/{user}")
        view: AccountView = await account.query("show", result_type=AccountView)
        assert (view.spent_usd, view.reserved_usd) == (outcome.usage.cost_usd, ZERO)

        api.valid, api.hears = set(), list
        run = await on.start("Hello", agent=FALLS)
        assert await run.result() == "by rules: Hello"
        assert keys(on)[2:] == ["new"]
        (failure,) = (await run.inspect()).steps[0].failures
        assert (failure.kind, failure.error) == ("credentials", "authentication_error")

        profile.token("newest")  # as a person does, before they redrive
        api.valid = {"newest"}
        assert await on.result() == "Done."
        assert keys(on)[3:] == ["newest"]


async def test_a_token_is_renewed_by_who_issues_it_and_then_the_run_parks(
    stage: SetStage, use: Callable[[], None], tmp_path: Path
) -> None:
    """One refresh, tried again where the issuer is busy; what it brings is refused as well, and a person is asked."""
    issued: list[str] = []

    class Issuer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            issued.append(body["refresh_token"])
            if len(issued) == 1:
                self.send_error(503)
                return
            answer = json.dumps({"access_token": f"token-{len(issued) - 1}", "expires_in": 3600}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    issuer = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    Thread(target=issuer.serve_forever, daemon=True).start()
    profile = Profile(tmp_path, base_url=f"http://127.0.0.1:{issuer.server_port}", client_id="holdfast")
    profile.token("old", refresh_token="r-1", expires_at=4_000_000_000)
    api = Api("token-1")
    try:
        async with stage(PARKS, api.answer) as on:
            use()
            assert await on.result() == "Done."
            assert (set(keys(on)[:-1]), keys(on)[-1], len(issued)) == ({"old"}, "token-1", 2)
            on.model.requests.clear()
            api.valid = set()
            run = await on.start()
            request = await run.next_request(kind="parked")
            assert "The credentials had been renewed once" in request.why
            assert keys(on) == ["token-1", "token-2"]
            api.valid = {"token-2"}
            await run.redrive(by="dana")
            assert await run.result() == "Done."
            assert (len(issued), keys(on)[2:]) == (3, ["token-2"])
    finally:
        issuer.shutdown()
        issuer.server_close()


async def test_a_plain_key_is_not_tried_twice(stage: SetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same key again is no use; one that the worker's environment holds by now is."""
    api = Api("fresh")
    async with stage([PARKS, FALLS], api.answer) as on:
        assert await on.result("Hello", agent=FALLS) == "by rules: Hello"
        assert keys(on) == ["test"]
        api.hears = lambda: monkeypatch.setenv("ANTHROPIC_API_KEY", "fresh")
        assert await on.result() == "Done."
        assert keys(on)[1:] == ["test", "fresh"]
