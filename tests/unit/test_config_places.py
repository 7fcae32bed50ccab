"""Where an error of a configuration is: its line and column, whoever found it, in any form of the text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from nvaha.config import ConfigError, Problem, load, parse
from nvaha.config.forms import FileForm, Form, Parts
from nvaha.config.native import to_native
from nvaha.config.slips import slipped

CASES = Path(__file__).parent / "config_cases"
ALL = sorted(CASES.glob("*/*.yaml"))
EVERYTHING = to_native(parse((CASES / "good" / "everything.yaml").read_text("utf-8")).configuration)
RESOURCES = "/subscriptions/0f3a1c52-7b1e-4e0b-9d55-1b2c3d4e5f60/resourceGroups/ha-nva-rg/providers"
TABLE = f"{RESOURCES}/Microsoft.Network/routeTables/ha-nva-udr"
NIC = f"{RESOURCES}/Microsoft.Network/networkInterfaces/ha-nva-vm"
GOOD = f"""\
groups:
  - name: edge
    nvas:
      - name: nva1
        interfaces:
          all: {NIC}1-nic1
      - name: nva2
        interfaces:
          all: {NIC}2-nic1
    route_tables:
      - {TABLE}
"""


def found(text: str) -> tuple[Problem, ...]:
    """Return the errors of a text that has some."""
    with pytest.raises(ConfigError) as refused:
        parse(text)
    return refused.value.problems


@pytest.mark.parametrize("case", ALL, ids=lambda path: path.stem)
def test_whatever_is_told_of_a_file_has_a_line_of_it(case: Path) -> None:
    """No error and no warning of any case, whoever found it, is without a place in the text."""
    text = case.read_text("utf-8")
    try:
        told = parse(text).warnings
    except ConfigError as refused:
        told = (*refused.problems, *refused.warnings)
    lines = text.splitlines() or [""]
    for each in told:
        assert each.line is not None
        assert each.column is not None
        assert 1 <= each.line <= len(lines) + 1, each
        key = re.search(r"([^.\[\]\"]+)[\]\"]*$", re.sub(r"(\[\d+\])+$", "", each.path))
        if key and each.line <= len(lines) and each.column > 1 and "missing" not in each.message:
            assert lines[each.line - 1][each.column - 1 :].strip(), each


def broken() -> Iterator[tuple[str, int, str]]:
    """Yield a file with everything, each time with one of its lines broken; which one, and how."""
    lines = EVERYTHING.splitlines()
    for number, line in enumerate(lines):
        indent, key, value = re.fullmatch(r"((?:- | )*)(?:([^:]+):(?= |$))?(.*)", line).groups()  # type: ignore[union-attr]
        an_id = "/subscriptions/" in value

        def instead(*new: str, at: int = number) -> str:
            return "\n".join([*lines[:at], *new, *lines[at + 1 :]]) + "\n"

        if value:
            before = f"{indent}{key}: " if key else indent
            yield instead(f"{before}<wrong>"), number + 1, "wrong value"
            yield instead(f"{before}“{value.strip()}”"), number + 1, "curly quotes"
        if an_id:
            yield instead(f"{line}/"), number + 1, "slash at the end"
        if key and value and not an_id:
            yield instead(f"{indent}zz{key}: {value}"), number + 1, "renamed"
            yield instead(f"{indent}\N{NO-BREAK SPACE}{key}: {value}"), number + 1, "odd space"
            yield instead(line, f"{' ' * len(indent)}{key}: {value}"), number + 2, "written twice"
        if key == "interval":
            yield instead(line, f"{indent}failback: manual"), number + 2, "misplaced"
        if key == "failback":
            yield instead(line, f"{indent}fall: 3"), number + 2, "misplaced"
        if indent.startswith(" "):
            yield instead(f"\t{line.lstrip()}"), number + 1, "tab"


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "windows"])
def test_a_broken_line_is_the_line_of_the_error(newline: str) -> None:
    """The lines of a whole file, broken in each way that fits them, are named; with either line end."""
    every = list(broken())
    assert len(every) > 200
    for text, line, how in every[newline == "\n" :: 4]:
        problems = found(text.replace("\n", newline))
        assert line in [each.line for each in problems], (how, line, text, problems)
        if how == "misplaced":
            assert any("is misplaced" in each.message for each in problems)
        if how == "tab":
            assert "tab" in problems[0].message


def test_json_is_placed_as_yaml_is() -> None:
    """The same broken files as JSON, a value on a line: the error is on the line of that value."""
    fitting = [text for text, _, how in broken() if how in {"wrong value", "renamed", "misplaced"}]
    compared = 0
    for text in fitting[::6]:
        as_json = json.dumps(yaml.load(text, Loader=yaml.BaseLoader), indent=1)  # noqa: S506 - all as text
        lines = as_json.splitlines()
        paths = {each.path for each in found(text) if not each.path.endswith("]")}
        for each in found(as_json):
            if each.path in paths and "missing" not in each.message:
                assert each.line is not None
                assert f'"{each.path.rpartition(".")[2]}"' in lines[each.line - 1], each
                compared += 1
    assert compared > 10


@pytest.mark.parametrize("dump", [yaml.safe_dump, json.dumps, lambda tree: json.dumps(tree, indent=2)])
def test_what_is_missing_is_at_its_parent(dump: object) -> None:
    """Of an entry that lacks a key, the line is the one where the entry begins, in any form of the text."""
    assert callable(dump)
    tree = yaml.safe_load(GOOD)
    del tree["groups"][0]["nvas"][1]["name"]
    tree["groups"][0]["nvas"][1]["probe"] = {}
    text = dump(tree)
    [problem] = [each for each in found(text) if "missing" in each.message]
    lines = text.splitlines()
    assert problem.line is not None
    assert problem.column is not None
    before, rest = (
        lines[problem.line - 1][: problem.column - 1],
        lines[problem.line - 1][problem.column - 1 :],
    )
    assert rest.startswith(("interfaces:", "{"))
    everything = "\n".join([*lines[: problem.line - 1], before])
    assert everything.count("interfaces") == 1, "not the second NVA"


def test_in_a_setting_the_column_tells(tmp_path: Path) -> None:
    """The configuration in the environment is one long line: line 1, and the column within the value."""
    text = json.dumps({"groups": [{**yaml.safe_load(GOOD)["groups"][0], "nonsense": 1}]})
    with pytest.raises(ConfigError) as refused:
        load(text, tmp_path)
    [problem] = refused.value.problems
    assert (problem.line, problem.column) == (1, text.index('"nonsense"') + 1)
    for quoted in (f"'{text}'", f'"{text}"', f"“{text}”"):
        with pytest.raises(ConfigError, match="has quotes around it"):
            load(quoted, tmp_path)


def test_a_secret_in_a_list_moves_nothing_after_it() -> None:
    """What stands behind a refused secret keeps its place."""
    text = GOOD.replace(
        "    route_tables:\n", "    route_tables:\n      - AccountKey=aHVudGVyMg\n      - udr\n"
    )
    assert text != GOOD
    secret, other = found(text)
    assert (secret.path, other.path) == ("groups[0].route_tables[0]", "groups[0].route_tables[1]")
    assert other.line is not None
    assert text.splitlines()[other.line - 1].strip() == "- udr"


def homes(form: type[Form]) -> Iterator[type[Form]]:
    """Yield a form and all that is below it."""
    yield form
    for each in form.model_fields.values():
        for parts in each.metadata:
            if isinstance(parts, Parts):
                yield from homes(parts.form)


def test_every_form_has_its_place() -> None:
    """By its place a key is called misplaced: a form that no other one leads to would be forgotten."""
    assert set(homes(FileForm)) == set(Form.__subclasses__())


@pytest.mark.parametrize(
    ("broken_at", "key", "said"),
    [
        ("    nvas:", "fall: 3", "fall belongs under probe; add groups[0].probe"),
        ("    nvas:", "failback: manual", "failback belongs under policy; add groups[0].policy"),
        ("    nvas:", "holdDown: 1m", "did you mean hold_down, which belongs under policy?"),
        ("groups:", "timeout: 1s", "timeout belongs under probe; add groups[0].probe"),
        ("groups:", "probe: {}", "probe belongs in an entry of groups; move it to groups[0], line 3"),
        ("        interfaces:", "route_tables: []", "move it to groups[0], line 2"),
        ("        interfaces:", "port: 22", "port belongs under probe; add groups[0].nvas[0].probe"),
        ("        interfaces:", "interface: all", "interface belongs under probe"),
        ("    nvas:", "control_targets: []", "belongs at the top level; move it to the left margin"),
    ],
)  # fmt: skip
def test_a_key_that_is_right_elsewhere_is_called_misplaced(broken_at: str, key: str, said: str) -> None:
    """It is said where it belongs: derived from the forms, the nearest place first."""
    indent = re.match(" *", broken_at)[0]  # type: ignore[index]
    text = GOOD.replace(f"{broken_at}\n", f"{indent}{key}\n{broken_at}\n", 1)
    assert text != GOOD
    assert any(said in f"{each.message}; {each.remedy}" for each in found(text)), found(text)


def test_a_probe_that_is_there_is_named_with_its_line() -> None:
    """Where the mapping exists in which a key belongs, its line is told."""
    text = f"{GOOD}    probe: {{port: 22}}\n    fall: 3\n"
    [problem] = found(text)
    assert problem.message == "is misplaced: fall belongs under probe"
    assert f"groups[0].probe, line {len(text.splitlines()) - 1}" in problem.remedy


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (f"{TABLE}/", "ends with a slash"),
        (f" {TABLE} ", "has white space around it"),
        (f"{TABLE}\N{NO-BREAK SPACE}", "holds a no-break space (U+00A0)"),
        (f"\N{ZERO WIDTH SPACE}{TABLE}", "cannot be seen: zero width space (U+200B)"),
        (TABLE.replace("ha-nva-udr", "ha–nva–udr"), "holds a long dash"),
        (f'"{TABLE}"', "has quotes around it"),
        (f"“{TABLE}”", "holds a curly quote"),
        (f"https://portal.azure.com/#@contoso.com/resource{TABLE}/overview", "address of the portal"),
        (f"https://portal.azure.com/#@contoso.onmicrosoft.com/resource{TABLE}", "address of the portal"),
        (f"https://portal.azure.us/#resource{TABLE}/subnets", "address of the portal"),
        (f"https://management.azure.com{TABLE}?api-version=2023-09-01", "is a URL"),
        (f"{TABLE}?api-version=2023-09-01", "has a query"),
        (TABLE.removeprefix("/"), "does not begin with a slash"),
        (TABLE.replace("/providers/", "//providers/"), "has two slashes in a row"),
        (TABLE.replace("/", "%2F"), "is URL-encoded"),
        (f"C:/Program Files/Git{TABLE}", "Git Bash"),
    ],
)
def test_an_id_that_is_nearly_one_is_told_with_what_was_meant(written: str, sentence: str) -> None:
    """Each slip has its sentence, and the remedy is the id itself, to be copied."""
    text = GOOD.replace(f"      - {TABLE}\n", f"      - {json.dumps(written)}\n")
    assert text != GOOD
    [problem] = found(text)
    assert sentence in problem.message
    assert problem.remedy == f"write {TABLE}"
    assert problem.line == text[: text.index(json.dumps(written))].count("\n") + 1


def test_what_is_meant_has_no_slip_left() -> None:
    """Slips come in pairs, and mending one after the other ends with an id that has none."""
    wraps = ["{}/", " {}", '"{}"', "“{}”", "{}?a=b", "https://management.azure.com{}", "{}\N{NO-BREAK SPACE}"]
    for one, other in pairwise([*wraps, *reversed(wraps)]):
        slip = slipped(one.format(other.format(TABLE)))
        assert slip is not None
        assert slip[1] == TABLE
    assert slipped(TABLE) is None


@pytest.mark.parametrize("value", ["ha-nva-udr", "<route table id>", "${ROUTE_TABLE}", f"{RESOURCES}/x"])
def test_what_is_no_id_at_all_is_told_how_one_is_written(value: str) -> None:
    """A name and a placeholder are called so."""
    [problem] = found(GOOD.replace(f"      - {TABLE}\n", f"      - {json.dumps(value)}\n"))
    assert "resource id" in problem.message
    assert "Microsoft.Network/routeTables" in problem.remedy
