"""What the operator pages name exists: settings, parameters, events, alerts, files, headings."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nvaha.core.advice import TODO
from nvaha.model.events import EVENTS, FIELDS, TROUBLE
from tests.previous import previous

from .bicep import BicepFile
from .commands import commands, page_problems
from .packages import LEFT_BEHIND, USERS_OWN, files, wanted
from .tools import INFRA, ROOT

NAMES = (
    "deploy",
    "upgrade",
    "migrate-from-ha-nva",
    "security",
    "monitoring",
    "local-core-tools",
    "configuration",
    "cost",
    "runbook",
)
EVERY_PAGE = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in NAMES}
CODE = {path: path.read_text(encoding="utf-8") for path in (ROOT / "nvaha").rglob("*.py")}


def table(page: str, heading: str) -> dict[str, str]:
    """Return first and second column of the table under a heading."""
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `([\w-]+)` \| (.*?) \|", section, re.M))


def slug(heading: str) -> str:
    """Return the anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def emitted(*, levels: bool = False) -> Iterator[tuple[Path, str]]:
    """Yield the event names that the code writes out where it makes a notice, if asked with their levels."""
    for path, source in CODE.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                function = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
                event = node.args[0].value
                if function.lower().lstrip("_") in {"notice", "notify"} and isinstance(event, str):
                    level = node.args[1] if levels and len(node.args) > 1 else None
                    told = level.value if isinstance(level, ast.Constant) else ""
                    yield path, f"{event} {told!s}".rstrip()


def test_every_event_in_code_is_known() -> None:
    """The code logs no event that operators cannot look up."""
    assert [(path.name, event) for path, event in emitted() if event not in EVENTS] == []


def test_what_is_told_as_trouble_is_known_as_such() -> None:
    """An event that the code tells as a warning or an error has its section in the runbook."""
    levels = [each for each in emitted(levels=True) if each[1].rpartition(" ")[2] in {"warning", "error"}]
    assert len(levels) > 20
    assert [each for each in levels if each[1].partition(" ")[0] not in TROUBLE] == []
    assert set(EVENTS) >= TROUBLE


def sections() -> dict[str, str]:
    """Return the runbook's sections by what they are on."""
    parts = re.split(r"^### `(\w+)`$", PAGES["runbook"], flags=re.M)[1:]
    assert len(parts[::2]) == len(set(parts[::2]))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_the_runbook_is_complete() -> None:
    """Each advice and each event that is trouble has its section, and no section is on anything else."""
    assert set(sections()) == set(TODO) | TROUBLE


@pytest.mark.parametrize("name", sorted(set(TODO) | TROUBLE))
def test_a_section_says_what_to_do(name: str) -> None:
    """What it means, what to do, and how one sees that it is over: each in words, in this order."""
    parts = re.split(r"^- \*\*(Means|Do|Over when):\*\* ", sections()[name].split("\n## ")[0], flags=re.M)
    assert parts[1::2] == ["Means", "Do", "Over when"]
    assert all(len(part.strip()) > 10 for part in parts[2::2])


def test_each_alert_leads_to_its_section() -> None:
    """Whoever is woken by a rule finds it in the runbook, whose link leads on."""
    template = (INFRA / "app" / "alerts.bicep").read_text(encoding="utf-8")
    rules = set(re.findall(r"name: '([\w-]+)'\n\s+title: ", template))
    assert set(table(PAGES["runbook"], "From an alert to its section")) == rules
    assert "runbook.md" in template


def test_event_tables_match() -> None:
    """The tables of events and fields say what nvaha.model.events says."""
    assert table(PAGES["monitoring"], "Events") == EVENTS
    assert table(PAGES["monitoring"], "Fields") == FIELDS


def test_alert_table_matches() -> None:
    """The table of alerts names the rules that the template deploys, with their severity."""
    template = (INFRA / "app" / "alerts.bicep").read_text(encoding="utf-8")
    rules = dict(re.findall(r"name: '([\w-]+)'\n\s+title: .*\n\s+severity: (\d)", template))
    [rule] = re.findall(r"metricAlert}\$\{token}-(\w+)'", (INFRA / "main.bicep").read_text(encoding="utf-8"))
    outside = (INFRA / "app" / "availability.bicep").read_text(encoding="utf-8")
    [rules[rule]] = re.findall(r"severity: (\d)", outside)
    assert table(PAGES["monitoring"], "Alerts") == rules


def test_role_table_matches() -> None:
    """The table of the role's actions names exactly the role's actions and the ones that can be added."""
    named = set(re.findall(r"`(Microsoft\.Network/[\w/]+/(?:read|write|action))`", PAGES["security"]))
    files = (INFRA / "roles" / name for name in ("nva-operator.json", "nic-references.json"))
    written = {action for path in files for action in re.findall(r'"(Microsoft\.[\w./]+)"', path.read_text())}
    assert named == written


@pytest.mark.parametrize("page", NAMES)
def test_settings_exist(page: str, bicep_files: dict[Path, BicepFile]) -> None:
    """Each NVAHA_ name on a page is a setting, an output, or an environment variable of azd or the CLI."""
    main = bicep_files[INFRA / "main.bicep"]
    known = set(main.outputs)
    known |= set(re.findall(r"\$\{(\w+)", (INFRA / "main.parameters.json").read_text(encoding="utf-8")))
    for source in CODE.values():
        known |= set(re.findall(r"\bNVAHA_[A-Z_]+\b", source))
    assert set(re.findall(r"\bNVAHA_[A-Z_]+\b", PAGES[page])) <= known
    template = (INFRA / "app" / "function-app.bicep").read_text(encoding="utf-8")
    settings = re.findall(r"\b(?:NVAHASTATE|AzureWebJobsStorage|AzureFunctionsWebHost)__\w+", PAGES[page])
    assert set(settings) <= set(re.findall(r"\b\w+__\w+", template))


@pytest.mark.parametrize("page", NAMES)
def test_parameters_exist(page: str, bicep_files: dict[Path, BicepFile]) -> None:
    """Each name that a page gives a value as a template's parameter is one."""
    params = set(bicep_files[INFRA / "main.bicep"].params)
    commands = re.findall(r"--parameters ((?:.*\\\n)*.*)", PAGES[page])
    given = {name for command in commands for name in re.findall(r"(?:^|\s)(\w+)=", command)}
    given |= set(re.findall(r"`(\w+)=[\w.]*`", PAGES[page])) - {"HA_NVA_BASTION", "NVAHA_STORAGE"}
    given -= {"AzureWebJobsStorage", "NVAHA_CONFIG", "NVAHA_INSTANCE"}
    assert given <= params


def test_azd_table_matches() -> None:
    """The table of azd's environment names every parameter that azd passes."""
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    section = PAGES["deploy"].split("\n## 3a ", 1)[1].split("\n## 3b ", 1)[0]
    rows = re.findall(r"^\| `([A-Z_]+)`.* \| `(\w+)` \|$", section, re.M)
    assert {parameter: name for name, parameter in rows} == {
        parameter: re.split("[{=}]", each["value"])[1] for parameter, each in given.items()
    }


@pytest.mark.parametrize("page", NAMES)
def test_links_lead_somewhere(page: str) -> None:
    """Each link within the repository leads to a file, and to a heading in it."""
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / "docs" / name).resolve() if name else ROOT / "docs" / f"{page}.md"
        assert path.exists(), target
        if anchor:
            text = path.read_text(encoding="utf-8")
            assert anchor in {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.M)}, target


@pytest.mark.parametrize("page", NAMES)
def test_named_files_exist(page: str) -> None:
    """Each script and template that a page tells to run is there."""
    for name in re.findall(r"\binfra/[\w./-]+\.(?:sh|bicep|json|kql)\b", PAGES[page]):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("path", EVERY_PAGE, ids=lambda path: path.stem)
def test_commands_exist(path: Path) -> None:
    """Each command on a page is one, with every flag on it, of nvaha itself as its parser takes it."""
    assert page_problems(path.read_text(encoding="utf-8")) == []


def test_commands_are_found() -> None:
    """The page on deployment is read whole: blocks, continued lines, substitutions, prose."""
    found = {typed.words for typed in commands(PAGES["deploy"])}
    programs = {words[0] for words in found}
    assert programs == {"nvaha", "az", "azd", "func"}
    assert ("nvaha", "failover", "edge", "--to", "nva2", "--reason", "acceptance test", "--wait") in found
    assert ("azd", "env", "get-value", "$1") in found
    assert any(words[:4] == ("az", "deployment", "sub", "create") and len(words) > 10 for words in found)
    assert any(words[:3] == ("az", "vm", "show") for words in found)


def test_numbers_on_the_page_on_deployment() -> None:
    """The page counts the app's functions, and the test environment's cores, as they are."""
    spelled = (
        "twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty twenty-one twenty-two "
        "twenty-three"
    )
    words = {word: 12 + index for index, word in enumerate(spelled.split())}
    names = re.findall(r"^async def (\w+)", (ROOT / "function_app.py").read_text(encoding="utf-8"), re.M)
    others = set(names) - {"probe", "switch", "poison"}
    assert (
        f"list {_word(words, len(names))}: `probe`, `switch`, `poison` and {_word(words, len(others))}"
        in (PAGES["deploy"])
    )
    template = (INFRA / "test-environment" / "main.bicep").read_text(encoding="utf-8")
    machines = sum(
        len(
            re.findall(
                r"name: 'ha-nva-vm|'ha-nva-web-vm", template.split(f"var {name} = [", 1)[1].split("\n]", 1)[0]
            )
        )
        for name in ("nvas", "webServers")
    ) + template.count("module jumpbox ")
    assert "param vmSize string = 'Standard_B2ats_v2'" in template
    assert (
        f"It takes {_word(words, 2 * machines)} cores: six machines of `Standard_B2ats_v2`" in PAGES["deploy"]
    )


def _word(words: dict[str, int], number: int) -> str:
    return next(word for word, value in words.items() if value == number)


def test_the_page_names_the_template_s_python() -> None:
    """The version that the build's log must show is the one that the template asks for."""
    template = (INFRA / "main.bicep").read_text(encoding="utf-8")
    [version] = re.findall(r"param pythonVersion string = '([\d.]+)'", template)
    assert f"--platform-version {version}" in PAGES["deploy"]
    assert f"({version} unless you changed it)" in PAGES["deploy"]
    assert f"Python {version}" in PAGES["deploy"].split("## 1 Decide", 1)[0]


def test_pages_and_queries_take_the_json_alike() -> None:
    """There is one expression that finds an event's JSON, on pages as in the queries."""
    texts = [*PAGES.values(), *(path.read_text(encoding="utf-8") for path in INFRA.glob("queries/*.kql"))]
    assert len({found for text in texts for found in re.findall(r"extract\(@'.*?', 1, Message\)", text)}) == 1


def test_the_page_on_the_package_agrees_with_it() -> None:
    """What the page says is in the package belongs into it, and what it says is left out does not."""
    section = PAGES["deploy"].split("### What is in the package", 1)[1].split("\n### ", 1)[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    inside, outside = (set(re.findall(r"`([^`]+)`", " ".join(column))) for column in zip(*rows, strict=True))
    there = [*files(ROOT), *USERS_OWN, *LEFT_BEHIND]
    packed = {name for name in there if wanted(name)}
    assert {"requirements.txt", "nvaha/"} <= inside
    assert [name for name in inside if not any(each.startswith(name) for each in packed)] == []
    assert {"nvaha/cli/", "local.settings.json"} <= outside
    assert [name for name in outside if any(each.startswith(name) for each in packed)] == []


def test_events_that_queries_go_by_and_the_previous_release_does_not_log_are_on_the_page() -> None:
    """While that release leads, what such a query is for is told to nobody: somebody has to know."""
    queries = "".join(each.read_text(encoding="utf-8") for each in (INFRA / "queries").glob("*.kql"))
    events = set(re.findall(r'"(\w+)"', queries)) & EVENTS.keys()
    assert "heartbeat" in events
    silent = events - previous()("events").EVENTS.keys()
    assert {each for each in silent if f"`{each}`" not in PAGES["upgrade"]} == set()
