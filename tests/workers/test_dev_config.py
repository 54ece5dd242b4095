"""What temporal-dev.yaml says, and how its mistakes are told."""

from __future__ import annotations

import mmap
import re
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.contracts import names
from workers.dev_checks import find_temporal_binary
from workers.dev_config import load_dev_config, packaged_dev_config
from workers.dev_problems import DevConfigError

REPOSITORY = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    file = folder / "temporal-dev.yaml"
    file.write_text(text)
    return file


def refused(folder: Path, text: str) -> str:
    with pytest.raises(DevConfigError) as caught:
        load_dev_config(write(folder, text))
    assert "temporal-dev.yaml" in str(caught.value)
    return str(caught.value)


def test_the_shipped_file_is_the_one_at_the_top_of_the_repository() -> None:
    """The package's description is the repository's own file, not a copy that can drift."""
    shipped = REPOSITORY / "workers" / "temporal-dev.yaml"
    assert shipped.resolve() == REPOSITORY / "temporal-dev.yaml"


def test_the_shipped_stack_keeps_closed_runs_for_thirty_days() -> None:
    """Closed runs can be looked at for 720 hours, not for the server's own 24."""
    assert packaged_dev_config().retention == timedelta(hours=720)


def test_every_search_attribute_that_runs_record_is_described() -> None:
    """The file and the names that runs use agree, in name and type."""
    described = packaged_dev_config().search_attributes
    used = {value for name, value in vars(names).items() if name.startswith("SA_")}
    assert used <= set(described)
    assert (described[names.SA_COST], described[names.SA_STEPS]) == ("Double", "Int")
    assert {described[name] for name in used - {names.SA_COST, names.SA_STEPS}} == {"Keyword"}


def test_every_dynamic_setting_is_one_that_the_server_knows() -> None:
    """Each dynamic setting's name occurs in the server's program, which itself ignores names it does not know."""
    with (
        find_temporal_binary().open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as program,
    ):
        unknown = [key for key in packaged_dev_config().dynamic_config if program.find(key.encode()) < 0]
    assert unknown == []


def test_every_dynamic_setting_has_its_reason_beside_it() -> None:
    """Each dynamic setting has a comment, on the lines above it or above a neighbour of the same purpose."""
    text = (REPOSITORY / "temporal-dev.yaml").read_text().partition("dynamic_config:\n")[2]
    groups = re.findall(r"(?:^ +#.*\n)+(?:^ +[a-zA-Z.]+:.*\n)+", text, re.MULTILINE)
    explained = {
        line.split(":")[0].strip() for group in groups for line in group.splitlines() if "#" not in line
    }
    assert explained == set(packaged_dev_config().dynamic_config)


def test_a_file_in_a_folder_above_is_found(tmp_path: Path) -> None:
    """A project's file counts in all folders of the project, and its database is relative to the file."""
    write(tmp_path, "port: 7999\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    config = load_dev_config(start=below)
    assert config.port == 7999
    assert config.database_path == tmp_path / ".holdfast" / "temporal.db"


def test_without_a_file_the_shipped_one_counts(tmp_path: Path) -> None:
    """Away from any project the shipped description is used, with its database below the current folder."""
    config = load_dev_config(start=tmp_path)
    assert config.model_dump() == packaged_dev_config().model_dump()
    assert config.database_path == tmp_path / ".holdfast" / "temporal.db"


def test_a_file_names_only_what_differs(tmp_path: Path) -> None:
    """What a project's file leaves out stays as shipped; its attributes and settings are added to the shipped ones."""
    config = load_dev_config(
        write(tmp_path, "search_attributes: {Team: Keyword}\ndynamic_config: {a.b: 1}\n")
    )
    shipped = packaged_dev_config()
    assert config.search_attributes == {**shipped.search_attributes, "Team": "Keyword"}
    assert config.dynamic_config == {**shipped.dynamic_config, "a.b": 1}
    assert config.port == shipped.port


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    """A file without content describes the stack as shipped."""
    config = load_dev_config(write(tmp_path, "# nothing yet\n"))
    assert config.model_dump() == packaged_dev_config().model_dump()


def test_an_unknown_key_is_named_with_the_valid_ones(tmp_path: Path) -> None:
    """A misspelt key is refused, with the one that was meant and all that are valid."""
    message = refused(tmp_path, "prot: 7233\n")
    assert "`prot` is not a key. Did you mean `port`?" in message
    assert "sqlite_pragmas" in message


@pytest.mark.parametrize(
    "text, told",
    [
        ("port: '7233'\n", "`port`: Input should be a valid integer (found '7233')"),
        ("port: 70000\n", "`port`: Input should be less than or equal to 65535 (found 70000)"),
        ("port: null\n", "`port`: Input should be a valid integer (found None)"),
        ("ui_port: true\n", "`ui_port`: Input should be a valid integer (found True)"),
        ("retention: a month\n", "`retention`: a duration is a whole number and a unit, such as 720h"),
        ("retention: 5m\n", "`retention`: a server keeps closed runs for at least 1h (found"),
        ("retention: 720\n", "`retention`: Input should be a valid timedelta (found 720)"),
        ("namespace: a b\n", "`namespace`: String should match pattern"),
        ("host: ''\n", "`host`: String should have at least 1 character (found '')"),
        ("database: [a]\n", "`database`: Input should be a valid string (found ['a'])"),
        (
            "search_attributes: {Team: Keywrod}\n",
            "`search_attributes.Team`: Input should be 'Text', 'Keyword', 'Int'",
        ),
        ("search_attributes: {CostUsd: Int}\n", "CostUsd is Int, but runs record it as Double"),
        ("search_attributes: [Team]\n", "`search_attributes`: Input should be a valid dictionary"),
        (
            "dynamic_config: {a.b: [1]}\n",
            "`dynamic_config.a.b`: must be a text, a number, true or false (found [1]).",
        ),
        (
            "sqlite_pragmas: {journal_mode: 1.5}\n",
            "`sqlite_pragmas.journal_mode`: must be a text or a whole number (found 1.5)",
        ),
        ("port: 1\nport: 2\n", "`port` stands twice"),
        ("port: [\n", "not valid YAML"),
        ("- port\n", "must hold keys and values such as `port: 7233`, not a list"),
        ("port: \x00\n", "not valid YAML"),
        ("1: 2\n", "`1` is not a key"),
        ("? [a]\n: 1\n", "not valid YAML"),
        ("x: !!python/object:os.system {}\n", "not valid YAML"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_valid(tmp_path: Path, text: str, told: str) -> None:
    """A value that cannot be is refused with file, key, what is valid and what was found."""
    assert told in refused(tmp_path, text)


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    """Two mistakes make two lines, so that a file is corrected in one go."""
    assert len(refused(tmp_path, "prot: 1\nhost: 5\n").splitlines()) == 2


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A file that was named but is not there is a clear error, not the shipped description."""
    with pytest.raises(DevConfigError, match=r"nope\.yaml: cannot be read: No such file"):
        load_dev_config(tmp_path / "nope.yaml")


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    """A file that is not UTF-8 is a clear error."""
    (tmp_path / "temporal-dev.yaml").write_bytes(b"\xff\xfe\x00port")
    with pytest.raises(DevConfigError, match="not valid YAML"):
        load_dev_config(tmp_path / "temporal-dev.yaml")


def test_an_option_is_checked_like_the_file() -> None:
    """A change made by an option of a command is refused in the same words."""
    with pytest.raises(DevConfigError, match="the options given: `port`: Input should be a valid integer"):
        packaged_dev_config().but(port="x")
    with pytest.raises(DevConfigError, match="`prot` is not a key"):
        packaged_dev_config().but(prot=1)


def test_a_test_stack_shares_nothing_with_the_default_one(tmp_path: Path) -> None:
    """The ephemeral variant has free ports, its files in the folder given, and the same tuning."""
    shipped, ephemeral = (
        packaged_dev_config(),
        packaged_dev_config().ephemeral(tmp_path, in_memory=False, ui=True),
    )
    assert (ephemeral.port, ephemeral.ui_port, ephemeral.http_port, ephemeral.metrics_port) == (0, 0, 0, 0)
    assert ephemeral.database_path == tmp_path / "temporal.db"
    assert ephemeral.log_path.parent == tmp_path
    assert ephemeral.tuning_args() == shipped.tuning_args()
