"""What any release has stored can be read by today's contracts: workflows live longer than releases."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.contracts.examples import contracts, examples

HERE = Path(__file__).parent

RECORDED = {"v1": 49, "v2": 147}
"""How many files each version has: a folder or a file that is missing fails, and is not skipped."""

FILES = sorted(path for version in RECORDED for path in (HERE / version).glob("*.json"))


def named(path: Path) -> str:
    """A file as a test's id."""
    return f"{path.parent.name}/{path.stem}"


def contract_of(path: Path) -> type[BaseModel]:
    """The contract that a file is a value of."""
    return contracts()[path.stem.partition(".")[0]]


def kept(recorded: Any, today: Any, where: str = "") -> list[str]:
    """Where today's value lacks or changes something of the recorded one; new fields are fine."""
    if isinstance(recorded, dict) and isinstance(today, dict):
        return [
            problem
            for key, value in recorded.items()
            for problem in (
                kept(value, today[key], f"{where}.{key}") if key in today else [f"{where}.{key} is gone"]
            )
        ]
    if isinstance(recorded, list) and isinstance(today, list) and len(recorded) == len(today):
        pairs = zip(recorded, today, strict=True)
        return [
            problem for at, (old, new) in enumerate(pairs) for problem in kept(old, new, f"{where}[{at}]")
        ]
    return [] if json.dumps(recorded) == json.dumps(today) else [f"{where}: {recorded!r} became {today!r}"]


def test_every_version_is_complete() -> None:
    """Each recorded version has all of its files, and each folder of files is a recorded version."""
    folders = {path.name for path in HERE.iterdir() if path.is_dir() and path.name.startswith("v")}
    assert folders == set(RECORDED)
    assert {version: len(list((HERE / version).glob("*.json"))) for version in RECORDED} == RECORDED


def test_every_contract_is_recorded() -> None:
    """The newest version has a file for each contract there is; a new contract asks for a new version."""
    newest = HERE / list(RECORDED)[-1]
    recorded = {path.stem.partition(".")[0] for path in newest.glob("*.json")}
    assert set(contracts()) - recorded == set(), "python -m tests.contracts.record v… writes a new version"
    assert recorded - set(contracts()) == set(), "a contract that was stored once must stay readable"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_what_was_stored_can_be_read(path: Path) -> None:
    """A recorded value fits today's contract, and everything that it held is still there."""
    recorded = json.loads(path.read_text(encoding="utf-8"))
    value = contract_of(path).model_validate(recorded)
    assert kept(recorded, json.loads(value.model_dump_json())) == []


@pytest.mark.parametrize("path", FILES, ids=named)
def test_what_was_stored_goes_through_temporal(path: Path) -> None:
    """Temporal's converter gives back the value that it was given, in its own type."""
    contract = contract_of(path)
    value = contract.model_validate_json(path.read_text(encoding="utf-8"))
    converter = pydantic_data_converter.payload_converter
    assert converter.from_payloads(converter.to_payloads([value]), [contract]) == [value]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_what_a_later_release_stores_can_be_read(path: Path) -> None:
    """Fields that are not known yet are passed over, so that a release can be taken back."""
    contract = contract_of(path)
    recorded = json.loads(path.read_text(encoding="utf-8"))
    later = {**recorded, "from_the_future": {"a": 1}}
    if contract.model_config.get("extra") == "forbid":  # what people write: a misspelled field is told
        with pytest.raises(ValueError, match="from_the_future"):
            contract.model_validate(later)
    else:
        assert contract.model_validate(later) == contract.model_validate(recorded)


def test_only_what_people_write_forbids_unknown_fields() -> None:
    """A misspelled field of an input is told; whatever the engine stores is read tolerantly."""
    strict = {
        name for name, contract in contracts().items() if contract.model_config.get("extra") == "forbid"
    }
    assert strict == {
        "DecisionInput",
        "MessageInput",
        "Redrive",
        "NewLimits",
        "RaiseInput",
        "RunInput",
        "SetLimit",
        "SteerInput",
        "UndoInput",
    }


def test_examples_are_what_they_say() -> None:
    """Each example is a value of the contract that its name begins with."""
    for name, value in examples().items():
        assert type(value).__name__ == name.partition(".")[0]


@pytest.mark.parametrize(
    "version,words", [("v1", "what was recorded stays"), ("v0", "no version"), ("../v9", "no version")]
)
def test_nothing_is_recorded_twice(version: str, words: str) -> None:
    """The script refuses a version that exists, and a name that is none."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.contracts.record", version],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert words in done.stderr
