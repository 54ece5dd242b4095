"""Which Temporal server is meant, and the connection to it.

The first of these that names an address decides:

1. the `address` argument (`--address`);
2. `TEMPORAL_ADDRESS`, or the profile that is asked for or the default profile of `temporal.toml`
   (`temporalio.envconfig`, the same files and variables that the `temporal` CLI reads);
3. the dev server that runs in this folder or one above it (`.holdfast/dev.json`);
4. `localhost:7233`.

TLS, API key and namespace come from the profile and the environment in every case but the third.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from holdfast.dev_state import find_dev_server
from holdfast.errors import ConnectionFailed

__all__ = [
    "DEFAULT_ADDRESS",
    "ConnectionFailed",
    "ServerAway",
    "Target",
    "connect",
    "connect_to",
    "find_target",
    "server_failed",
]

DEFAULT_ADDRESS = "localhost:7233"

_TIMED_OUT = frozenset({RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})
_REFUSED = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED})


class ServerAway(ConnectionFailed):
    """A server that was connected to does not answer now; it may be back in a moment."""


@dataclass(frozen=True)
class Target:
    """A server and how it came to be meant."""

    address: str
    namespace: str
    source: str
    """Who named the address, in words for a message: `TEMPORAL_ADDRESS`, `profile prod`, …"""
    named: bool
    """Whether a person chose it for this command, by argument, variable or profile, rather than by default."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """TLS, API key and metadata, as `Client.connect` takes them. Not shown: they hold secrets."""


def find_target(
    address: str | None = None,
    namespace: str | None = None,
    profile: str | None = None,
    config_file: str | Path | None = None,
) -> Target:
    """Decides which server is meant, without talking to it.

    Raises:
        ConnectionFailed: The profile or the configuration file does not exist or is not valid.
    """
    options = _envconfig(profile, config_file)
    configured = options.pop("target_host", None)
    namespace = namespace or options.pop("namespace", None)
    options.pop("namespace", None)
    asked_profile = profile or os.environ.get("TEMPORAL_PROFILE")
    if address:
        found, source, named = address, "the address given", True
    elif os.environ.get("TEMPORAL_ADDRESS"):
        found, source, named = configured or DEFAULT_ADDRESS, "TEMPORAL_ADDRESS", True
    elif configured:
        found, source = configured, f"profile {asked_profile or 'default'} of {_file_name(config_file)}"
        named = bool(asked_profile or config_file)
    elif asked_profile or options:
        found, source, named = (
            DEFAULT_ADDRESS,
            "the default, since the profile names no address",
            bool(asked_profile),
        )
    elif (state := find_dev_server()) is not None:
        found, source, named = state.address, "the dev server of this folder", False
        namespace = namespace or state.namespace
    else:
        found, source, named = DEFAULT_ADDRESS, "the default", False
    return Target(found, namespace or "default", source, named, options)


async def connect(
    address: str | None = None,
    namespace: str | None = None,
    profile: str | None = None,
    config_file: str | Path | None = None,
    *,
    timeout: timedelta = timedelta(seconds=5),
    **kwargs: Any,
) -> Client:
    """Connects to the server that is meant (see the top of this file).

    Args:
        address: Host and port; overrides every other source.
        namespace: Overrides the profile's; `default` when nothing names one.
        profile: A profile of `temporal.toml`.
        config_file: Another file than the usual `temporal.toml`.
        timeout: How long to try before giving up.
        **kwargs: Passed on to `temporalio.client.Client.connect`.

    Raises:
        ConnectionFailed: No Temporal server answered in time, or the profile does not exist; the message says
            which address was tried, who named it, and what to do.
    """
    return await connect_to(find_target(address, namespace, profile, config_file), timeout=timeout, **kwargs)


async def connect_to(target: Target, *, timeout: timedelta = timedelta(seconds=5), **kwargs: Any) -> Client:
    """Connects to a server that was already decided on; arguments and errors as of `connect`."""
    kwargs = {"data_converter": pydantic_data_converter, **target.options, **kwargs}
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            return await Client.connect(target.address, namespace=target.namespace, **kwargs)
    except TimeoutError:
        reason = f"it did not answer within {timeout.total_seconds():g} seconds"
    except (RuntimeError, ValueError) as error:  # what the SDK raises for an unreachable or unusable address
        reason = _reason(str(error))
    raise ConnectionFailed(
        f"No Temporal server can be used at {target.address} ({target.source}): {reason}. {_advice(target)}"
    )


def server_failed(error: RPCError, *, waits_for_worker: bool = False) -> ConnectionFailed | None:
    """What a failed request says of the server itself; None where the server answered, and refused just this.

    Where it `waits_for_worker`, as a query does, running out of time says nothing of the server.
    """
    said = str(error).strip().rstrip(".")
    if error.status in _REFUSED:
        return ConnectionFailed(f"The Temporal server refused the credentials: {said}.")
    # So says a request that was under way.
    cut = error.status == RPCStatusCode.UNKNOWN and "transport error" in said
    timed_out = error.status in _TIMED_OUT and not waits_for_worker
    if error.status == RPCStatusCode.UNAVAILABLE or cut or timed_out:
        return ServerAway(f"The Temporal server stopped answering: {said}. Is it still running?")
    return None


def _advice(target: Target) -> str:
    if target.named:
        return (
            "Check the address and that the server runs; without one named, `holdfast dev` starts one here."
        )
    return "Start one with `holdfast dev`, or name yours by --address, TEMPORAL_ADDRESS or --profile."


def _reason(error: str) -> str:
    for sign, meaning in (
        ("ConnectionRefused", "nothing listens there"),
        ("dns error", "that host name is not known"),
        ("Unauthenticated", "it refused the credentials"),
        ("PermissionDenied", "it refused the credentials"),
        ("http2 error", "what answers there is not a Temporal server, or it expects TLS"),
        ("operation was canceled", "what answers there is not a Temporal server"),
        ("Unimplemented", "what answers there is not a Temporal server"),
        ("transport error", "what answers there is not a Temporal server, or it went away"),
        ("certificate", "its TLS certificate was not accepted"),
    ):
        if sign in error:
            return meaning
    message = re.search(r'message: "([^"]+)"', error)
    return message[1] if message else error.removeprefix("Failed client connect: ")


def _envconfig(profile: str | None, config_file: str | Path | None) -> dict[str, Any]:
    if config_file is not None and not Path(config_file).is_file():
        raise ConnectionFailed(f"The configuration file {config_file} does not exist. Name one that does.")
    try:
        file = str(config_file) if config_file is not None else None
        return dict(ClientConfig.load_client_connect_config(profile, config_file=file))
    except (RuntimeError, OSError, ValueError) as error:
        raise ConnectionFailed(
            f"The Temporal configuration in {_file_name(config_file)} cannot be used: {error}. "
            "`temporal config list` shows the profiles that exist."
        ) from None


def _file_name(config_file: str | Path | None) -> str:
    return str(config_file or os.environ.get("TEMPORAL_CONFIG_FILE") or "temporal.toml")
