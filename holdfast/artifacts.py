"""The artifact store: what is too large for a transcript, whole, in a folder or in an S3-compatible bucket.

`HOLDFAST_ARTIFACTS` says where: a folder, or a URL such as `s3://bucket/prefix?endpoint=https://minio.example`. Without
it, it is `.holdfast/artifacts` in this folder or in the nearest one above it that has a `.holdfast`. Whoever writes and
whoever reads (workers, clients, tools) must mean the same place.

An artifact is named by the digest of its bytes and never changed, so that writing one twice does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from holdfast.errors import ArtifactNotFound, ArtifactStoreFailed, HoldfastError, UsageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

VARIABLE = "HOLDFAST_ARTIFACTS"
LOCAL_STATE = ".holdfast"
ID_CHARS = 32
CHUNK_BYTES = 8 * 1024 * 1024
"""How much of an artifact is held in memory while it is searched."""

_PER_ADDRESS: dict[str, ArtifactStore] = {}


def artifact_store() -> ArtifactStore:
    """The store that the environment names now. Raises UsageError for an address that is none."""
    address = os.environ.get(VARIABLE) or str(_default_folder())
    if address not in _PER_ADDRESS:
        _PER_ADDRESS[address] = ArtifactStore(address)
    return _PER_ADDRESS[address]


def _default_folder() -> Path:
    here = Path.cwd()
    found = next((folder for folder in (here, *here.parents) if (folder / LOCAL_STATE).is_dir()), here)
    return found / LOCAL_STATE / "artifacts"


class ArtifactStore:
    """A folder or a bucket. Nothing is loaded or contacted before the first use."""

    def __init__(self, address: str) -> None:
        """Speak of the store at an address: a folder, or a URL whose scheme obstore knows (`s3`, `gs`, `az`, `file`)."""
        self.address = address
        self._opened: ObjectStore | None = None

    async def put(self, data: bytes | Path) -> tuple[str, int]:
        """Keep the bytes, or those of a file; the artifact's id and size. Raises ArtifactStoreFailed."""
        artifact, size = await asyncio.to_thread(_measure, data)
        from obstore import put_async

        try:
            await put_async(await self._store(), _key(artifact), data)
        except Exception as error:
            raise self._failed("written", error) from error
        return artifact, size

    async def read(self, artifact: str, start: int = 0, stop: int | None = None) -> bytes:
        """The bytes from `start` on, before `stop` (None: to the end); as many as there are."""
        size = await self.size(artifact)
        stop = size if stop is None else min(stop, size)
        if start >= stop:
            return b""
        from obstore import get_range_async

        try:
            return bytes(await get_range_async(await self._store(), _key(artifact), start=start, end=stop))
        except FileNotFoundError:
            raise self._not_found(artifact) from None
        except Exception as error:
            raise self._failed("read", error) from error

    async def size(self, artifact: str) -> int:
        """How many bytes it has. Raises ArtifactNotFound, ArtifactStoreFailed."""
        from obstore import head_async

        try:
            return int((await head_async(await self._store(), _key(artifact)))["size"])
        except FileNotFoundError:
            raise self._not_found(artifact) from None
        except Exception as error:
            raise self._failed("read", error) from error

    async def find(self, artifact: str, wanted: bytes, start: int = 0) -> int | None:
        """Where the bytes next stand, at `start` or behind it; None when they do not."""
        size = await self.size(artifact)
        while start < size:
            stop = min(start + CHUNK_BYTES, size)
            found = (await self.read(artifact, start, stop)).find(wanted)
            if found >= 0:
                return start + found
            if stop == size:
                return None
            start = stop - len(wanted) + 1  # it may stand across the border of two chunks
        return None

    async def check(self, proof: bytes | None = None) -> None:
        """Find out whether it answers; with `proof` these bytes are kept in it, as a worker would keep a result.

        Raises ArtifactStoreFailed, UsageError.
        """
        if proof is not None:
            artifact, _ = await self.put(proof)
            await self.size(artifact)
        elif "://" in self.address:
            with contextlib.suppress(ArtifactNotFound):
                await self.size("0" * ID_CHARS)
        else:
            await asyncio.to_thread(_check_folder, self.address)

    async def _store(self) -> ObjectStore:
        if self._opened is None:
            self._opened = await asyncio.to_thread(_open, self.address)
        return self._opened

    def _not_found(self, artifact: str) -> ArtifactNotFound:
        return ArtifactNotFound(f"There is no artifact {artifact} in {self.address}.")

    def _failed(self, done: str, error: Exception) -> ArtifactStoreFailed | UsageError:
        if isinstance(error, HoldfastError):
            return error  # type: ignore[return-value]  # one of the two: nothing else is raised within
        why = str(error).strip().split("\n", 1)[0]
        return ArtifactStoreFailed(f"The artifact store {self.address} cannot be {done}: {why}")


def _key(artifact: str) -> str:
    return f"{artifact[:2]}/{artifact}"


def _measure(data: bytes | Path) -> tuple[str, int]:
    if isinstance(data, Path):
        with data.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:ID_CHARS], data.stat().st_size
    return hashlib.sha256(data).hexdigest()[:ID_CHARS], len(data)


def _check_folder(address: str) -> None:
    """Whether it can be written to, or made. Raises ArtifactStoreFailed."""
    folder = Path(address).expanduser().absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ArtifactStoreFailed(
            f"The artifact store {folder} cannot be written: {there} does not allow it."
        )


def _open(address: str) -> ObjectStore:
    """Raises UsageError."""
    from obstore.store import LocalStore, from_url

    if "://" not in address:
        folder = Path(address).expanduser().absolute()
        return LocalStore(folder, mkdir=True)
    bare, options = _settings(address, os.environ)
    try:
        if bare.startswith("file:"):
            return from_url(bare, mkdir=True)
        # A dead store must not hold up a call for minutes: the caller has other ways to go on.
        settings: dict[str, Any] = {
            "config": options,
            "client_options": _client(options),
            "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=20)},
        }
        opened: ObjectStore = from_url(bare, **settings)
        return opened
    except Exception as error:  # noqa: BLE001  # each kind of store refuses its settings in its own way
        raise UsageError(f"{VARIABLE}={address!r} names no artifact store: {error}") from None


def _settings(address: str, environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The URL without its query, and the query as the store's settings. Secrets have no place in a URL.

    Raises UsageError for a query that is none of `endpoint`, `region`, `virtual_hosted_style_request`.
    """
    parts = urlsplit(address)
    given = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    known = {"endpoint", "region", "virtual_hosted_style_request"}
    if unknown := set(given) - known:
        raise UsageError(
            f"{VARIABLE}: the URL takes {', '.join(sorted(known))}, not {', '.join(sorted(unknown))}. "
            "Credentials come from the environment, such as AWS_ACCESS_KEY_ID."
        )
    if parts.scheme == "s3" and "endpoint" not in given:
        named = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
        given |= {"endpoint": named} if named else {}
    return parts._replace(query="").geturl(), given


def _client(options: Mapping[str, str]) -> Any:
    return {"allow_http": options.get("endpoint", "").startswith("http://"), "timeout": timedelta(seconds=30)}
