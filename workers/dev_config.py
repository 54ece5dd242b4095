"""temporal-dev.yaml as a value: the description of the local stack, read strictly.

There is one source of truth, the file at the top of this repository; the package ships that same file. A
project's own temporal-dev.yaml, found in the current folder or one above it, names only what differs.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)

from holdfast.dev_state import STATE_FILE
from workers.dev_problems import DevConfigError

FILE_NAME = "temporal-dev.yaml"
PACKAGED_FILE = Path(__file__).with_name(FILE_NAME)

SearchAttributeType = Literal["Text", "Keyword", "Int", "Double", "Bool", "Datetime", "KeywordList"]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> object:
    """Reads `720h`; leaves anything else to pydantic, which refuses what is not a timedelta."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d{1,6})([smhd])", value.strip())
        if match is None:
            raise ValueError("a duration is a whole number and a unit, such as 720h, 30d, 90m or 45s")
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    return value


def _long_enough(value: timedelta) -> timedelta:
    if value < timedelta(hours=1):
        raise ValueError("a server keeps closed runs for at least 1h")
    return value


Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 stands for any free one, chosen when the server starts."""


class DevConfig(BaseModel):
    """The local stack. The file's comments say what each field is for and why it has its value."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    host: Annotated[str, Field(min_length=1)]
    port: Port
    ui_port: Port | None
    http_port: Port
    metrics_port: Port
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    retention: Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_long_enough)]
    database: Annotated[str, Field(min_length=1)] | None
    sqlite_pragmas: dict[str, str | int]
    search_attributes: dict[str, SearchAttributeType]
    dynamic_config: dict[str, bool | int | float | str]

    _base: Path = PrivateAttr(default_factory=Path.cwd)

    @property
    def base(self) -> Path:
        """The folder that `database` is relative to, and that holds the `.holdfast` folder."""
        return self._base

    @property
    def database_path(self) -> Path | None:
        """The database file, absolute; None when everything is kept in memory."""
        return None if self.database is None else self._base / Path(self.database).expanduser()

    @property
    def log_path(self) -> Path:
        """The server's log: beside the database, or in `.holdfast` when there is none."""
        folder = self.database_path.parent if self.database_path else self._base / STATE_FILE.parent
        return folder / "temporal.log"

    def but(self, *, base: Path | None = None, **changes: Any) -> DevConfig:
        """The same stack with some fields changed, checked like the file.

        Raises:
            DevConfigError: A field does not exist or its value is not valid.
        """
        return _validated({**self.model_dump(), **changes}, "the options given").based_in(base or self._base)

    def based_in(self, base: Path) -> DevConfig:
        """The same stack with its files in another folder."""
        moved = self.model_copy()
        moved._base = base.resolve()  # noqa: SLF001 - a copy of this very class
        return moved

    def ephemeral(self, folder: Path, *, in_memory: bool = True, ui: bool = False) -> DevConfig:
        """The same stack for a test: free ports, and nothing outside `folder`."""
        return self.but(
            base=folder,
            port=0,
            ui_port=0 if ui else None,
            http_port=0,
            metrics_port=0,
            database=None if in_memory else "temporal.db",
        )

    def tuning_args(self) -> list[str]:
        """The dynamic configuration as flags of `temporal server start-dev`."""
        return [
            flag
            for key, value in self.dynamic_config.items()
            for flag in ("--dynamic-config-value", f"{key}={json.dumps(value)}")
        ]

    def server_args(self) -> list[str]:
        """All flags of `temporal server start-dev` that this describes. Ports must be chosen, not 0."""
        args = ["--ip", self.host, "--port", str(self.port), "--http-port", str(self.http_port)]
        args += ["--metrics-port", str(self.metrics_port), "--namespace", self.namespace]
        args += ["--headless"] if self.ui_port is None else ["--ui-port", str(self.ui_port)]
        if self.database_path is not None:
            args += ["--db-filename", str(self.database_path)]
            for pragma, setting in self.sqlite_pragmas.items():
                args += ["--sqlite-pragma", f"{pragma}={setting}"]
        return args + self.tuning_args()


def load_dev_config(path: Path | None = None, *, start: Path | None = None) -> DevConfig:
    """Reads the description of the local stack.

    Args:
        path: The file to read. None looks for temporal-dev.yaml in `start` and the folders above it, and
            uses the packaged one when there is none.
        start: Where to begin to look; the current folder by default.

    Raises:
        DevConfigError: The file cannot be read, or holds something that is not understood.
    """
    start = (start or Path.cwd()).resolve()
    found = path or next(
        (p for folder in (start, *start.parents) if (p := folder / FILE_NAME).is_file()), None
    )
    if found is None:
        return packaged_dev_config().based_in(start)
    merged = dict(_packaged())
    for key, value in _read(found).items():
        default = merged.get(key)
        both = isinstance(default, Mapping) and isinstance(value, Mapping)
        merged[key] = {**default, **value} if both else value  # type: ignore[dict-item] # both are mappings
    config = _validated(merged, str(found))
    _refuse_changed_types(config, found)
    return config.based_in(found.resolve().parent)


def packaged_dev_config() -> DevConfig:
    """The stack as Holdfast ships it, whatever the current folder holds."""
    return _validated(dict(_packaged()), str(PACKAGED_FILE))


def _refuse_changed_types(config: DevConfig, file: Path) -> None:
    for name, kind in packaged_dev_config().search_attributes.items():
        if config.search_attributes[name] != kind:
            raise DevConfigError(
                f"{file}: search_attributes.{name} is {config.search_attributes[name]}, "
                f"but runs record it as {kind}. Remove it from the file, or make it {kind}."
            )


@cache
def _packaged() -> Mapping[str, Any]:
    return _read(PACKAGED_FILE)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_NoDuplicates)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise DevConfigError(f"{file}: cannot be read: {error.strerror}. Name a file that exists.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DevConfigError(f"{file}: not valid YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise DevConfigError(
            f"{file}: must hold keys and values such as `port: 7233`, not a {type(content).__name__}."
        )
    return {str(key): value for key, value in content.items()}


def _validated(content: dict[str, Any], source: str) -> DevConfig:
    try:
        return DevConfig.model_validate(content)
    except ValidationError as error:
        problems = [_explain(detail) for detail in error.errors()]
        raise DevConfigError(
            "\n".join(f"{source}: {problem}" for problem in dict.fromkeys(problems))
        ) from None


_SCALARS = {
    "dynamic_config": "must be a text, a number, true or false",
    "sqlite_pragmas": "must be a text or a whole number",
}


def _explain(detail: Any) -> str:
    field, *inner = [str(part) for part in detail["loc"]]
    if inner:
        # One problem for each type of the union that was tried; all are told in the same words, and then once.
        message = _SCALARS.get(field, detail["msg"])
        return f"`{field}.{inner[0]}`: {message} (found {detail['input']!r})."
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(field, DevConfig.model_fields, n=1)
        guess = f" Did you mean `{near[0]}`?" if near else ""
        return f"`{field}` is not a key.{guess} Valid keys: {', '.join(DevConfig.model_fields)}."
    return f"`{field}`: {detail['msg'].removeprefix('Value error, ')} (found {detail['input']!r})."


class _NoDuplicates(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(self.construct_object(key_node, deep=True))
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"`{key}` stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
