"""The documentation is true: links lead somewhere, commands exist, examples run."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml

import holdfast.testing
import holdfast.worker
from holdfast import Run, errors
from holdfast.cli.app import build_app
from holdfast.client import Client
from holdfast.errors import HoldfastError
from holdfast.testing import DevServer
from tests.documents import ROOT, Block, all_blocks, anchors, blocks, documents, links, name_of
from workers.dev_config import load_dev_config, packaged_dev_config

DOCS = ROOT / "docs"
SERVER_OPTIONS = {"--address", "--namespace", "--profile", "--task-queue"}


def commands() -> dict[str, click.Command]:
    """The commands of `holdfast`, by name."""
    group: Any = typer.main.get_command(build_app())
    return dict(group.commands)


def options_of(command: click.Command) -> set[str]:
    """Every spelling of every option of a command."""
    found = [one for one in command.params if one.param_type_name == "option"]
    return {name for one in found for name in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}


def test_links_lead_somewhere() -> None:
    """Every link into the repository names a file that exists, and a heading that stands in it."""
    broken = []
    for path in documents():
        for link in links(path):
            if re.match(r"https?:", link):
                continue
            target, _, anchor = link.partition("#")
            file = (path.parent / target).resolve() if target else path
            if not file.exists() or (anchor and anchor not in anchors(file)):
                broken.append(f"{name_of(path)}: {link}")
    assert broken == []


def test_every_page_is_on_the_map() -> None:
    """docs/index.md links to every page of the documentation."""
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links(DOCS / "index.md")}
    missing = [name_of(path) for path in DOCS.rglob("*.md") if path.resolve() not in linked]
    assert missing == ["docs/index.md"]


def test_python_blocks_compile() -> None:
    """Every Python block is valid Python; one may await at its top level, as a notebook does."""
    broken = []
    for block in all_blocks("python"):
        try:
            compile(block.text, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError as error:
            broken.append(f"{block}: {error}")
    assert broken == []


def test_data_blocks_parse() -> None:
    """Every block of JSON, YAML or TOML is what it says it is."""
    broken = []
    parsers: dict[str, Callable[[str], Any]] = {
        "json": json.loads,
        "yaml": yaml.safe_load,
        "toml": tomllib.loads,
    }
    for block in all_blocks(*parsers):
        try:
            parsers[block.language](block.text)
        except (ValueError, yaml.YAMLError) as error:
            broken.append(f"{block}: {error}")
    assert broken == []


def test_commands_that_are_shown_exist() -> None:
    """Every `holdfast` and `make` command in a block or in the text exists, with the options shown."""
    known = commands()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wrong = []
    for place, line in shell_lines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            wrong += [f"{place}: {line}" for word in words[1:2] if word not in targets]
        if words[:1] != ["holdfast"] or len(words) == 1 or words[1].startswith("-") or words[1] == "COMMAND":
            continue
        if words[1] not in known:
            wrong.append(f"{place}: {line}")
            continue
        shown = {word for word in words[2:] if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        if unknown := shown - options_of(known[words[1]]):
            wrong.append(f"{place}: {line} ({', '.join(unknown)})")
    assert wrong == []


def shell_lines() -> list[tuple[str, str]]:
    """Each command in a shell block, and each piece of inline code that starts with `holdfast` or `make`."""
    found = []
    for block in all_blocks("bash", "console", "sh"):
        without_documents = re.sub(r"<<'(\w+)'\n.*?^\1$", "", block.text, flags=re.MULTILINE | re.DOTALL)
        joined = without_documents.replace("\\\n", " ")
        # A quoted value may span lines; only what stands on the first one is of interest here.
        lines = [line for line in joined.splitlines() if re.match(r"(holdfast|make)\b", line)]
        found += [(str(block), line) for line in lines]
    for path in documents():
        inline = re.findall(r"`((?:holdfast|make) [^`\n]+)`", path.read_text(encoding="utf-8"))
        found += [(name_of(path), line.replace("…", "")) for line in inline]
    return found


def test_the_page_of_the_cli_lists_every_command_and_option() -> None:
    """docs/reference/cli.md has a section for each command, and in it exactly the command's options."""
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## holdfast (\S+)\n(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL))
    shown = {
        name: {option for row in rows(text) for option in re.findall(r"`(--?[a-z][a-z-]*)", row)}
        for name, text in sections.items()
    }
    own = {
        name: options_of(command) - SERVER_OPTIONS - {"--help", "-h"} for name, command in commands().items()
    }
    assert shown == own
    for name, command in commands().items():
        served = SERVER_OPTIONS & options_of(command)
        without_queue = SERVER_OPTIONS - {"--task-queue"}
        assert served == (
            set()
            if name == "demo"
            else without_queue
            if name in ("budgets", "dev", "record", "replay")
            else SERVER_OPTIONS
        )


def rows(text: str) -> list[str]:
    """The first cells of a section's tables."""
    return re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)


def test_every_error_is_explained() -> None:
    """docs/reference/errors.md names every public error."""
    page = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    public = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, HoldfastError)
    ]
    assert [name for name in public if name not in page] == []


def test_every_public_name_is_on_the_page_of_the_python_api() -> None:
    """docs/reference/python.md names what `holdfast`, its worker and its test kit export, and what clients and runs do."""
    page = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    exported = [*holdfast.__all__, *holdfast.worker.__all__, *holdfast.testing.__all__]
    methods = [name for of in (Client, Run) for name in dir(of) if not name.startswith("_")]
    wanted = {*exported, *methods} - {"input_mark"}  # for `Client.start` alone
    assert [name for name in sorted(wanted) if not re.search(rf"`[^`]*\b{name}\b[^`]*`", page)] == []


def test_the_search_attributes_are_those_that_runs_record() -> None:
    """How to use a real cluster lists each search attribute with its type."""
    page = (DOCS / "how-to" / "use-a-real-cluster.md").read_text(encoding="utf-8")
    listed = {
        name: kind.strip()
        for names, kind in re.findall(r"^\|([^|]*`[^|]*)\|([^|]+)\|$", page, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert listed == packaged_dev_config().search_attributes


def test_the_local_stack_takes_the_file_that_is_shown(tmp_path: Path) -> None:
    """The temporal-dev.yaml of the configuration page is one."""
    (block,) = blocks(DOCS / "reference" / "configuration.md", "yaml")
    file = tmp_path / "temporal-dev.yaml"
    file.write_text(block.text, encoding="utf-8")
    config = load_dev_config(file)
    assert (config.port, config.ui_port, config.retention.days) == (7234, None, 30)


@pytest.mark.parametrize("page", ["tutorial.md", "how-to/write-tools.md"])
def test_definitions_hold(page: str) -> None:
    """What a page defines, block after block, is accepted as it stands."""
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(DOCS / page, "python"):
        exec(compile(block.text, str(block), "exec"), namespace)  # our own page
    assert any(type(value).__name__ == "Agent" for value in namespace.values())


def save_named(found: list[Block], folder: Path) -> None:
    """Save the blocks that name a file."""
    for block in found:
        if block.name:
            (folder / block.name).write_text(block.text, encoding="utf-8")


def test_the_test_of_the_testing_page_passes(tmp_path: Path) -> None:
    """How to test your agent: its test passes on the agent of README."""
    (example,) = blocks(ROOT / "README.md", "python")
    (tmp_path / "refunds.py").write_text(example.text, encoding="utf-8")
    save_named(blocks(DOCS / "how-to" / "test-your-agent.md", "python"), tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "."],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


async def test_the_remote_tool_answers(temporal_server: DevServer, tmp_path: Path) -> None:
    """Remote tools: a worker that does not import Holdfast carries out the call of the page's agent."""
    save_named(blocks(DOCS / "how-to" / "remote-tools.md", "python"), tmp_path)
    assert "holdfast" not in (tmp_path / "crm_worker.py").read_text(encoding="utf-8")
    environment = {**os.environ, "TEMPORAL_ADDRESS": temporal_server.state.address}
    queue = "remote-tools-page"
    serve = ["-c", SERVE, "crm_agent", "--task-queue", queue]
    programs = [
        await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=tmp_path, env=environment)
        for arguments in (["crm_worker.py"], serve)
    ]
    try:
        client = Client(await temporal_server.connect(), task_queue=queue)
        run = await client.start("notes", "Called", id="remote-tools-page")
        assert await run.result() == "note for c-7, written once under remote-tools-page/1.1"
    finally:
        for program in programs:
            program.kill()
            await program.wait()


SERVE = "import sys; sys.argv[1:1] = ['worker']; from holdfast.cli import main; main()"
