"""The commands that pages tell people to type: each is taken as its program would take it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from nvaha.cli.main import app

from .tools import INFRA, ROOT

PROGRAMS = ("nvaha", "func", "az", "azd", "docker", "gh")
SHELLS = {"bash", "sh", "console", "text"}
# What pages put where a number, or a file that is there, belongs.
STAND_INS = {"N": "1", "FILE": __file__, "yaml": __file__, "json": __file__}


@cache
def cloud_commands() -> dict[str, dict[str, list[str]]]:
    """Return the commands of func, az and azd that pages name, with flags that these take.

    Read in their source: func in `src/Cli/func/Actions` of Azure/azure-functions-core-tools (3ee97a6), azd in
    `cli/azd/cmd/testdata/TestUsage-azd-*.snap` of Azure/azure-dev (ae35809), az in `command_modules` of
    azure-cli 2.91.0. Of az's flags only those are listed that pages use; the ones that it gives to nearly
    every command (`-g`, `-n`, `-o`, `--query`, `--subscription`) were not read for each. `az network bastion`
    is an extension and taken from published examples; Azurite's flags are in its README,
    those of pytest, docker and gh in their help. Look a new one up before adding it.
    """
    found: dict[str, dict[str, list[str]]] = json.loads(
        Path(__file__).with_name("cloud_commands.json").read_text(encoding="utf-8")
    )
    return found


# What an option may be given, where another value would be taken and do something else.
VALUES = {
    "--auth-type": {"ssh-key"},
    "--build": {"remote"},
    "--build-remote": {"true"},
    "--custom-role-only": {"true"},
    "--namespace": {"Microsoft.App"},
    "--output": {"table", "tsv"},
    "-o": {"table", "tsv"},
    "--public-ip-address": {"null", "PIP"},
    "--restart": {"no"},
}
AZD_KEEPS = {"AZURE_SUBSCRIPTION_ID"}
# What a command's answer holds, of which a page may ask; keys that open everything are left out on purpose.
ANSWERS = {
    "eventgrid topic show": {"endpoint", "id"},
    "storage account show": {"geoReplicationStats", "lastSyncTime"},
    "deployment sub show": {"properties", "outputs", "value"},
    "functionapp keys list": {"functionKeys", "default"},
    "role assignment list": {"id", "principalId", "roleDefinitionId", "roleDefinitionName", "scope"},
}


@dataclass(frozen=True, slots=True)
class Typed:
    """A command on a page: its words, and whether it is to be typed as it stands or only spoken of."""

    words: tuple[str, ...]
    whole: bool


def commands(page: str) -> Iterator[Typed]:
    """Yield the commands on a page: in blocks of shell, in `code` and in headings."""
    fence = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.M | re.S)
    for language, block in fence.findall(page):
        if language in SHELLS:
            for line in block.replace("\\\n", " ").splitlines():
                yield from (Typed(words, whole=True) for words in _of_line(line.strip().removeprefix("$ ")))
    prose = fence.sub("", page)
    for code in re.findall(r"`([^`\n]+)`", prose) + re.findall(r"^#+ (nvaha .*)$", prose, re.M):
        for part in code.replace(" | ", "|").split(", "):
            for each in _alternatives(re.sub(r"[\[\]]", "", part)):
                yield from (Typed(words, whole=False) for words in _of_line(each))


def _alternatives(code: str) -> list[str]:
    """A synopsis may leave a choice, as in `nvaha pause|resume GROUP`."""
    choice = re.search(r"\b[\w-]+(?:\|[\w-]+)+", code)
    if choice is None:
        return [code]
    return [code.replace(choice[0], each, 1) for each in choice[0].split("|")]


def _of_line(line: str) -> Iterator[tuple[str, ...]]:
    while inner := re.search(r"\$\(([^()]*)\)", line):
        yield from _of_line(inner[1])
        line = line.replace(inner[0], "VALUE", 1)
    lexer = shlex.shlex(line.replace("…", "x"), posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # a quote that is an apostrophe: this is prose
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("();<>|&{}"):
            while command and (re.match(r"\w+=", command[0]) or command[0] in {"export", "!"}):
                command.pop(0)
            if command[:1] == ["xargs"]:
                command = command[next((at for at, each in enumerate(command) if each in PROGRAMS), 0) :]
            if command[1:2] == ["-m"] and "".join(command[2:3]).startswith("tests."):
                yield tuple(command[2:])
            elif command and command[0].rsplit("/", 1)[-1] in PROGRAMS:
                yield (command[0].rsplit("/", 1)[-1], *command[1:])
            command = []
        else:
            command.append(word)


def command_problems(typed: Typed) -> list[str]:
    """Report what a program would not take."""
    if typed.words[0].startswith("tests."):
        return _own(typed.words)
    return _nvaha(typed) if typed.words[0] == "nvaha" else _cloud(typed)


def own_flags(module: str) -> set[str]:
    """Return the flags of a module of the tests that can be run; none where there is no such module."""
    path = ROOT / module.replace(".", "/") / "__main__.py"
    source = path.read_text(encoding="utf-8") if path.is_file() else ""
    return set(re.findall(r"""add_argument\(\s*"(--[\w-]+)\"""", source))


def _own(words: tuple[str, ...]) -> list[str]:
    known = own_flags(words[0])
    if not (ROOT / words[0].replace(".", "/") / "__main__.py").is_file():
        return [f"python -m {words[0]}: there is no such module to run"]
    flags = [word.split("=", 1)[0] for word in words[1:] if word.startswith("-")]
    return [f"python -m {words[0]} has no {flag}" for flag in flags if flag not in known]


def _nvaha(typed: Typed) -> list[str]:
    """Let the real commands parse the words, without running anything."""
    command: Any = get_command(app)
    rest = [STAND_INS.get(word.rsplit(".", 1)[-1], word) for word in typed.words[1:]]
    context = None
    try:
        # A page may name a command without saying which of those below it.
        while rest or not hasattr(command, "resolve_command"):
            context = command.make_context(command.name, rest, parent=context)
            if not hasattr(command, "resolve_command"):
                break
            _, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    except typer.Exit:
        return []
    except typer.TyperException as error:
        if typed.whole or type(error).__name__ != "MissingParameter":
            return [f"{shlex.join(typed.words)}: {error.format_message()}"]
    return []


def _cloud(typed: Typed) -> list[str]:
    words = typed.words
    if len(words) == 1 and not typed.whole:  # the program is only spoken of
        return []
    known = cloud_commands()[words[0]]
    plain = " ".join(words[1:])
    name = max((each for each in known if f"{plain} ".startswith(f"{each} ")), key=len, default=None)
    if name is None:
        return [f"{shlex.join(words)}: no such command is known"]
    given = {each: value for each, value in _options(words) if each.startswith("-")}
    problems = [f"{words[0]} {name} has no {flag}" for flag in given if flag not in known[name]]
    # What has its libraries in it is not built, and everything else is.
    values = VALUES | ({"--build-remote": {"false"}} if "-python" in given.get("--src", "") else {})
    problems += [
        f"{flag} {value} is not what is meant"
        for flag, value in given.items()
        if value and value not in values.get(flag, {value})
    ]
    return problems + _query_problems(name, given.get("--query", ""))


def _options(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield each flag with what it is given, nothing where another flag or the end comes next."""
    for word, after in pairwise((*words[1:], "")):
        if re.match(r"--?[a-zA-Z]", word):
            flag, equals, value = word.partition("=")
            yield flag, value if equals else "" if after.startswith("-") else after


def _query_problems(name: str, query: str) -> list[str]:
    """Report what a query asks for that the answer does not hold."""
    plain = re.sub(r"'[^']*'|\$\w+|\w+:|\w+(?=\()", "", query)
    known = ANSWERS.get(name, {"id"}) | outputs()
    return [f"{name} answers no {each}" for each in re.findall(r"[A-Za-z]\w*", plain) if each not in known]


@cache
def outputs() -> frozenset[str]:
    """Return the outputs of a monitor's deployment."""
    return frozenset(re.findall(r"^output (\w+) ", (INFRA / "main.bicep").read_text(encoding="utf-8"), re.M))


def delete_problems(page: str) -> list[str]:
    """Report lists that are deleted whole, if only because a variable in their query is empty."""
    lines = re.sub(r" *\\\n *", " ", page).splitlines()
    problems = []
    for line in (each for each in lines if re.search(r"\blist\b.*\|.*\bdelete\b", each)):
        empty = re.sub(r"\$\{[^}]*\}|\$\w+", "", line)
        if "[?" not in line or empty == line or re.search(r"(?:with|contains)\([^,]*, *''\)", empty):
            problems.append(f"this may delete everything: {line.strip()}")
    return problems


@cache
def all_flags() -> frozenset[str]:
    """Return every long flag of every known command and of the scripts here."""
    found = {flag for program in cloud_commands().values() for flags in program.values() for flag in flags}
    for script in INFRA.rglob("*.sh"):
        found |= set(re.findall(r"^ +(--[\w-]+)\)", script.read_text(encoding="utf-8"), re.M))
    for path in (ROOT / "tests").glob("*/__main__.py"):
        found |= own_flags(f"tests.{path.parent.name}")
    waiting: list[Any] = [get_command(app)]
    while waiting:
        command = waiting.pop()
        found |= {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
        if hasattr(command, "list_commands"):
            waiting += [command.get_command(None, name) for name in command.list_commands(None)]
    return frozenset(found)


def page_problems(page: str) -> list[str]:
    """Report the commands and flags on a page that are none."""
    problems = [problem for typed in commands(page) for problem in command_problems(typed)]
    problems += delete_problems(page)
    named = re.findall(r"\$\((?:out|first) ([A-Z_]+)|env get-value ([A-Z_]+)", page)
    problems += [
        f"{name} is no output"
        for name in (one or other for one, other in named)
        if name not in outputs() | AZD_KEEPS
    ]
    alone = re.findall(r"`(--[\w-]+)[^`]*`", page)
    return problems + [f"{flag} is no flag of anything" for flag in alone if flag not in all_flags()]
