"""Clients of AWS, and AWS's errors in Holdfast's words.

Credentials, profile and endpoint come from where boto3 always finds them (`AWS_PROFILE`, `AWS_ACCESS_KEY_ID`, the
instance's role, `AWS_ENDPOINT_URL` …). boto3's own retries are off: Temporal retries, visibly and within bounds.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from holdfast.errors import Correctable, ToolError, Transient, Unauthorised

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 1},
    user_agent_extra="holdfast-cloud-costs",
)

# Sessions are not safe to build from in several threads; clients are safe to use from them.
_building = threading.Lock()


def ec2(region: str) -> EC2Client:
    """The EC2 client of a region.

    Raises:
        Correctable: There is no such region.
    """
    client: EC2Client = _client("ec2", _checked(region))
    return client


def cloudwatch(region: str) -> CloudWatchClient:
    """The CloudWatch client of a region.

    Raises:
        Correctable: There is no such region.
    """
    client: CloudWatchClient = _client("cloudwatch", _checked(region))
    return client


def price_list() -> Any:
    """The client of AWS's Price List API, which lives in us-east-1 and covers every region."""
    return _client("pricing", "us-east-1")


def default_region() -> str | None:
    """The region that boto3's configuration names, if it names one."""
    return boto3.session.Session().region_name


def _client(service: str, region: str) -> Any:
    # The endpoint is part of the key, so that a process whose environment changes gets a new client.
    endpoint = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get("AWS_ENDPOINT_URL")
    with _building:
        return _build(service, region, endpoint, os.environ.get("AWS_PROFILE"))


@functools.cache
def _build(service: str, region: str, _endpoint: str | None, _profile: str | None) -> Any:
    make: Any = boto3.session.Session().client
    return make(service, region_name=region, config=_CONFIG)


@functools.cache
def _regions() -> frozenset[str]:
    session = boto3.session.Session()
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition_name=partition)
    )


def _checked(region: str) -> str:
    if region not in _regions():
        raise Correctable(
            f"AWS has no region {region!r} (as of this boto3); name one such as eu-west-1 or us-east-1"
        )
    return region


_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    SSOError,
    ProfileNotFound,
)
_UNAUTHORISED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "Blocked",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "PendingVerification",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
# Throttling, and AWS's own trouble. Others count as transient by their HTTP status (429 and 5xx).
_TRANSIENT_CODES = frozenset(
    {
        "EC2ThrottledException",
        "InsufficientInstanceCapacity",
        "InternalError",
        "InternalFailure",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "SnapshotCreationPerVolumeRateExceeded",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "Unavailable",
    }
)
_SNAPSHOT_INTERVAL_SECONDS = 15.0
"""AWS takes one snapshot of a volume in this time."""


@contextmanager
def aws_errors(what: str) -> Iterator[None]:
    """Raises AWS's errors as Holdfast's, so that the right one acts. `what` names the operation.

    Raises:
        Transient: Throttled, a fault of AWS, or no connection.
        Unauthorised: Missing, wrong or expired credentials, or a permission that they lack.
        Correctable: AWS refused this request as it stands (no such instance, wrong state, …).
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        known = _translated(what, error)
        if known is None:
            raise
        if isinstance(known, Unauthorised):
            # The next attempt reads the credentials afresh; a renewed file or role is then enough.
            with _building:
                _build.cache_clear()
        raise known from error


def _translated(what: str, error: ClientError | BotoCoreError) -> ToolError | None:
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "unknown")
        said = error.response.get("Error", {}).get("Message", "")[:500]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        message = f"{what}: AWS answered {code}: {said}"
        if code in _UNAUTHORISED_CODES:
            return Unauthorised(
                f"{message}. Renew the credentials, or grant the permission (see iam-policy.json)"
            )
        if code in _TRANSIENT_CODES or status == 429 or status >= 500:
            slow = code == "SnapshotCreationPerVolumeRateExceeded"
            return Transient(message, retry_after=_SNAPSHOT_INTERVAL_SECONDS if slow else None)
        return Correctable(message)
    if isinstance(error, _CREDENTIALS):
        return Unauthorised(f"{what}: {error}. Set AWS_PROFILE or AWS_ACCESS_KEY_ID, or log in again")
    if isinstance(error, (BotoConnectionError, HTTPClientError)):
        return Transient(f"{what}: {error}")
    if isinstance(error, ParamValidationError):
        return Correctable(f"{what}: {error}")
    return None
