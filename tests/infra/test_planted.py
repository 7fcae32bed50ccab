"""Each check finds the mistakes that it is there for: they are planted one at a time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from .azure_types import FOLDER
from .bicep import BicepFile, parse
from .checks import all_problems, reference_problems, role_problems
from .rules.environment import environment_problems
from .rules.every import monitor_problems, type_problems
from .rules.sent import World
from .rules.ways import COMMON, FEW, REFUSED, every_way
from .template.functions import TemplateError
from .template.source import Files
from .test_packets import WAYS as ENVIRONMENTS
from .test_packets import world as environment
from .test_roles import NEEDED
from .tools import INFRA

WAYS = every_way()
MISTAKES = yaml.safe_load(Path(__file__).with_name("mistakes.yaml").read_text(encoding="utf-8"))


def role_file_problems(files: Files) -> Iterator[str]:
    """Report what is wrong with the operator role and what can be added to it."""
    yield from role_problems(json.loads(files.text(INFRA / "roles" / "nva-operator.json")), NEEDED)
    references = json.loads(files.text(INFRA / "roles" / "nic-references.json"))
    yield from reference_problems(references, NEEDED)


def refusal_problems(files: Files) -> Iterator[str]:
    """Report parameters that do not fit together and are taken."""
    for name, (given, named) in REFUSED.items():
        try:
            assert World(files, "main.bicep", {**COMMON, **given}).sent
        except TemplateError:
            continue
        yield f"{name} is not refused: {named}"


def problems(files: Files, bicep_files: dict[Path, BicepFile], folder: str) -> Iterator[str]:
    """Report everything that the quick checks find, in the part of infra that a folder belongs to."""
    yield from all_problems(bicep_files)
    if folder == "test-environment":
        for kind in ENVIRONMENTS:
            yield from environment_problems(environment(kind, files))
            yield from type_problems(environment(kind, files))
        return
    yield from role_file_problems(files)
    worlds = [WAYS[way].world(files) for way in FEW]
    for world in worlds:
        yield from monitor_problems(world)
    yield from refusal_problems(files)
    for world in worlds:
        yield from type_problems(world)


def found_of(bicep_files: dict[Path, BicepFile], path: Path, broken: str) -> Iterator[str]:
    """Yield what is found when one file says something else."""
    parsed = {**bicep_files, path: parse(path, broken)} if path.suffix == ".bicep" else bicep_files
    folder = path.relative_to(INFRA).parts[0]
    return problems(Files(changed={path: broken}), parsed, folder)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake["name"])
def test_mistake_is_found(bicep_files: dict[Path, BicepFile], mistake: dict[str, str]) -> None:
    """A mistake in a file is reported with the thing that is wrong."""
    if mistake.get("by") == "types" and not FOLDER.is_dir():
        pytest.skip(f"Azure's resource types are not there: {FOLDER}")
    path = INFRA / mistake["file"]
    source = path.read_text(encoding="utf-8")
    assert mistake["right"] in source
    broken = source.replace(mistake["right"], mistake["wrong"], 1)
    found: list[str] = []
    for problem in found_of(bicep_files, path, broken):
        found.append(problem)
        if mistake["reported"] in problem:
            return
    pytest.fail(f"{mistake['reported']} is in none of {found}")


# One small mistake wherever it can be made: what to look for, what to make of it, and what must be reported.
EVERYWHERE: dict[str, tuple[str, Callable[[re.Match[str]], str], str]] = {
    "role's id": (
        r"'([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{11})([0-9a-f])'",
        lambda found: f"'{found[1]}{int(found[2], 16) ^ 1:x}'",
        "not assigned",
    ),
    "service of a URI": (
        r"(\w+__(?:blob|queue|table)ServiceUri: 'https://\$\{\w+\}\.)(blob|queue|table)",
        lambda found: found[1] + {"blob": "queue", "queue": "table", "table": "blob"}[found[2]],
        "ServiceUri",
    ),
    "assignment": (
        r"(roleAssignments@[\d-]+' = )(\[for \w+ in \w+:|if \([^)]*\)|(?=\{))",
        lambda found: found[1] + ("[for roleId in []:" if found[2].startswith("[") else "if (false) "),
        "not assigned",
    ),
}


def everywhere() -> Iterator[tuple[str, Path, str, str]]:
    """Yield each place of a monitor's templates with the mistake made there, and what must be reported."""
    for path in sorted([INFRA / "main.bicep", *(INFRA / "app").glob("*.bicep")]):
        source = path.read_text(encoding="utf-8")
        for kind, (pattern, wrong, reported) in EVERYWHERE.items():
            for number, found in enumerate(re.finditer(pattern, source)):
                broken = source[: found.start()] + wrong(found) + source[found.end() :]
                yield f"{kind}, {path.stem} {number}", path, broken, reported
        for block in re.finditer(r"  dependsOn: \[\n((?:    \w+\n)+)  \]\n", source):
            for entry in re.finditer(r"    (\w+)\n", block[1]):
                start = block.start(1) + entry.start()
                broken = source[:start] + source[start + len(entry[0]) :]
                yield f"order, {path.stem} after {entry[1]} at {start}", path, broken, ""


PLACES = list(everywhere())


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[0])
def test_mistake_is_found_wherever_it_is_made(
    bicep_files: dict[Path, BicepFile], place: tuple[str, Path, str, str]
) -> None:
    """A wrong role, service or order, or a role that is never assigned, is reported at every place."""
    kind, path, broken, reported = place
    wanted = ("does not wait", "same time") if kind.startswith("order") else (reported,)
    assert any(each in problem for problem in found_of(bicep_files, path, broken) for each in wanted)


def test_every_kind_of_place_is_there() -> None:
    """The places are found at all: the roles, the services of both accounts, the order, the assignments."""
    kinds = Counter(name.split(",")[0] for name, *_ in PLACES)
    assert kinds["role's id"] >= 5
    assert kinds["service of a URI"] == 6
    assert kinds["assignment"] >= 11
    assert kinds["order"] >= 6


def test_nothing_is_found_without_a_mistake(bicep_files: dict[Path, BicepFile]) -> None:
    """The files as they are have no problem, so that what is found of a mistake is the mistake."""
    assert list(problems(Files(), bicep_files, "app")) == []
    assert list(problems(Files(), bicep_files, "test-environment")) == []


def test_extra_action_is_found() -> None:
    """A role that grants more than the code needs is reported."""
    role = json.loads((INFRA / "roles" / "nva-operator.json").read_text(encoding="utf-8"))
    role["Actions"].append("Microsoft.Network/routeTables/delete")
    assert any("routeTables/delete" in problem for problem in role_problems(role, NEEDED))
