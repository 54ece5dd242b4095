"""What a Temporal server must hold before runs can be recorded on it: the namespace and its search attributes.

Used for the local server and for any other cluster. Nothing that exists is changed or removed, except the
retention of the local server's own namespace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType, NamespaceState
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from holdfast.errors import HoldfastError
from workers.dev_config import SearchAttributeType, packaged_dev_config

_RPC_TIMEOUT = timedelta(seconds=5)
_KNOWN_WITHIN = timedelta(seconds=30)
_LOOK_EVERY = timedelta(seconds=0.1)
_MAY_NOT = {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.UNIMPLEMENTED}


class ServerSetupError(HoldfastError):
    """The server lacks something that runs need, and it could not be added; its operator must act."""


async def ensure_search_attributes(
    client: Client, attributes: Mapping[str, SearchAttributeType] | None = None
) -> list[str]:
    """Adds the search attributes that the client's namespace lacks. Safe to call at every start, by many at once.

    Args:
        client: Connected to the namespace that runs will be recorded in.
        attributes: Name and type of each; by default those that runs record about themselves.

    Returns:
        The names that were added, sorted.

    Raises:
        ServerSetupError: One exists with another type, there is no room for one, or this client may not add
            them. The message holds the command for an operator who may.
    """
    wanted = dict(packaged_dev_config().search_attributes if attributes is None else attributes)
    missing = await _missing(client, wanted)
    if not missing:
        return []
    request = AddSearchAttributesRequest(
        namespace=client.namespace, search_attributes={name: _enum(wanted[name]) for name in missing}
    )
    try:
        await client.operator_service.add_search_attributes(request, timeout=_RPC_TIMEOUT)
    except RPCError as error:
        # Two workers that start together both see it missing, and the second one is told that it exists.
        if error.status != RPCStatusCode.ALREADY_EXISTS or await _missing(client, wanted):
            raise _cannot_add(client, {name: wanted[name] for name in missing}, error) from None
    return missing


async def ensure_namespace(client: Client, retention: timedelta | None = None) -> bool:
    """Registers the client's namespace if the server does not have it; one that exists is left as it is.

    Args:
        client: Connected to the namespace that is wanted.
        retention: How long a namespace that has to be registered keeps its closed runs; 720 hours by default.

    Returns:
        Whether it was registered now, in which case this waits the seconds until the server knows it everywhere.

    Raises:
        ServerSetupError: It does not exist and this client may not register it, or it is being deleted.
    """
    keep = Duration()
    keep.FromTimedelta(retention or packaged_dev_config().retention)
    name = client.namespace
    try:
        found = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=name), timeout=_RPC_TIMEOUT
        )
        if found.namespace_info.state == NamespaceState.NAMESPACE_STATE_DELETED:
            raise ServerSetupError(
                f"Namespace {name} on {_where(client)} is being deleted. Name another one."
            )
        return False
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise ServerSetupError(
                f"Cannot look at namespace {name} on {_where(client)}: {error.message}."
            ) from None
    try:
        await client.workflow_service.register_namespace(
            RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=keep),
            timeout=_RPC_TIMEOUT,
        )
    except RPCError as refusal:
        if refusal.status == RPCStatusCode.ALREADY_EXISTS:
            return False
        raise ServerSetupError(
            f"There is no namespace {name} on {_where(client)} and it could not be registered: {refusal.message}. "
            f"Name another one with --namespace, or have an operator run `temporal operator namespace create "
            f"--namespace {name} --retention {_hours(keep.ToTimedelta())}`."
        ) from None
    await _until_known(client)
    return True


async def set_retention(client: Client, retention: timedelta) -> None:
    """Sets how long the client's namespace keeps closed runs. For a server of one's own.

    Raises:
        RPCError: The server refused.
    """
    keep = Duration()
    keep.FromTimedelta(retention)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(
            namespace=client.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=keep)
        ),
        timeout=_RPC_TIMEOUT,
    )


async def _until_known(client: Client) -> None:
    """The server's parts read the list of namespaces every few seconds, and refuse one that they do not know yet."""
    for _ in range(int(_KNOWN_WITHIN / _LOOK_EVERY)):
        try:
            await client.count_workflows(rpc_timeout=_RPC_TIMEOUT)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise ServerSetupError(
                    f"Namespace {client.namespace} was registered on {_where(client)} but cannot be used: "
                    f"{error.message}."
                ) from None
        else:
            return
        await asyncio.sleep(_LOOK_EVERY.total_seconds())
    raise ServerSetupError(
        f"Namespace {client.namespace} was registered on {_where(client)} but is still not known there after "
        f"{_KNOWN_WITHIN.total_seconds():g} seconds. Try again in a moment."
    )


async def _missing(client: Client, wanted: Mapping[str, SearchAttributeType]) -> list[str]:
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_RPC_TIMEOUT
        )
    except RPCError as error:
        raise _cannot_add(client, wanted, error) from None
    wrong = [
        f"{name} is {_type_name(listed.custom_attributes[name])}, not {kind}"
        for name, kind in wanted.items()
        if name in listed.custom_attributes and listed.custom_attributes[name] != _enum(kind)
    ]
    if wrong:
        raise ServerSetupError(
            f"Search attributes of namespace {client.namespace} on {_where(client)} have another type than runs "
            f"record: {'; '.join(wrong)}. A type cannot be changed: use another namespace (--namespace), or have "
            "an operator remove these with `temporal operator search-attribute remove` if nothing needs them."
        )
    return sorted(set(wanted) - set(listed.custom_attributes))


def _cannot_add(
    client: Client, names: Mapping[str, SearchAttributeType], error: RPCError
) -> ServerSetupError:
    flags = " ".join(f"--name {name} --type {kind}" for name, kind in sorted(names.items()))
    needs = f"Namespace {client.namespace} on {_where(client)} needs search attributes"
    if error.status in _MAY_NOT:
        return ServerSetupError(
            f"{needs}, and this connection may not add them ({error.message}). Have an operator run: temporal "
            f"operator search-attribute create --namespace {client.namespace} {flags} "
            "(on Temporal Cloud: add them to the namespace in its web UI)."
        )
    if error.status in {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.RESOURCE_EXHAUSTED}:
        return ServerSetupError(
            f"{needs} that it has no room for: {error.message.rstrip('.')}. Use another namespace (--namespace), "
            f"or remove attributes that nothing needs. Needed are: {', '.join(sorted(names))}."
        )
    return ServerSetupError(f"{needs}, and it failed to list or add them: {error.message}. Try again.")


def _enum(kind: SearchAttributeType) -> IndexedValueType.ValueType:
    name = "KEYWORD_LIST" if kind == "KeywordList" else kind.upper()
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{name}")


def _type_name(kind: IndexedValueType.ValueType) -> str:
    return IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").title().replace("_", "")


def _where(client: Client) -> str:
    return client.service_client.config.target_host


def _hours(retention: timedelta) -> str:
    return f"{int(retention.total_seconds() // 3600)}h"
