"""What each deployment tool puts into the package: the rules of both, after their public sources.

Core Tools: `src/Cli/func/Common/GitIgnoreParser.cs` and `FileSystemHelpers.GetLocalFiles` in
Azure/azure-functions-core-tools (3ee97a6). azd: `cli/azd/pkg/project/project_utils.go` in Azure/azure-dev
(ae35809) and `pattern.go` in denormal/go-gitignore, which it uses.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

Tool = Callable[[str, Iterable[str]], list[str]]

# Folders of a checkout that hold nothing of the project, and too much to look at.
UNSEEN = {".git", ".venv", ".cache", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}


def files(root: Path) -> Iterator[str]:
    """Yield the files of a checkout."""
    for path in root.iterdir():
        if path.is_dir():
            if path.name not in UNSEEN and not path.name.startswith(".venv"):
                yield from (f"{path.name}/{name}" for name in files(path))
        else:
            yield path.name


def core_tools(ignore: str, names: Iterable[str]) -> list[str]:
    """Return what Core Tools package.

    All patterns together are one regular expression, which has to match at the start of the path and to end
    at a word boundary, so `requirements` takes `requirements.txt` as well. `!` outranks all of them.
    """
    taken: list[str] = []
    brought_back: list[str] = []
    for line in map(str.strip, ignore.split("\n")):
        if line and not line.startswith("#"):
            kind = brought_back if line.startswith("!") else taken
            kind.append(line.removeprefix("!").removeprefix("/"))

    def any_of(patterns: list[str]) -> re.Pattern[str]:
        escaped = (re.sub(r"[-\[\]/{}()+?.\\^$|]", r"\\\g<0>", each) for each in patterns)
        expressions = (each.replace("**", "(.+)").replace("*", r"([^\/]+)") for each in escaped)
        return re.compile(rf"^(({')|('.join(expressions)}))\b" if patterns else "$^", re.ASCII)

    out, back = any_of(taken), any_of(brought_back)
    never = {".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}
    return [
        name
        for name in names
        if PurePosixPath(name).name.lower() not in never
        and not {".git", ".vscode"} & set(PurePosixPath(name.lower()).parts[:-1])
        and (back.match(name) or not out.match(name))
    ]


def azd(ignore: str, names: Iterable[str]) -> list[str]:
    """Return what azd packages: the last matching pattern decides, and an ignored folder is not entered."""
    lines = [line for line in map(str.strip, ignore.removeprefix("\ufeff").split("\n")) if line]
    patterns = [line for line in lines if not line.startswith("#")]

    def left_out(path: str, *, folder: bool) -> bool:
        name = PurePosixPath(path).name
        if name in ({".azure"} if folder else {".funcignore", "local.settings.json"}):
            return True
        said = [each for each in patterns if _matches(each.removeprefix("!"), path, folder=folder)]
        return bool(said) and not said[-1].startswith("!")

    def parents(name: str) -> list[str]:
        return [str(each) for each in PurePosixPath(name).parents][:-1]

    return [
        name
        for name in names
        if not left_out(name, folder=False) and not any(left_out(each, folder=True) for each in parents(name))
    ]


def _matches(pattern: str, path: str, *, folder: bool) -> bool:
    """Tell whether one of azd's patterns matches; a slash at its end is for folders only.

    Without `**` and without a slash inside, a pattern at the root is matched against the whole path, where
    `*` does not stop at a slash; one that is not at the root against the last part of the path.
    """
    if pattern.endswith("/") and not folder:
        return False
    anchored, bare = pattern.startswith("/"), pattern.strip("/")
    if "**" in bare:
        return _parts_match(bare.split("/"), path.split("/"))
    if "/" in bare:
        wanted, found = bare.split("/"), path.split("/")
        return len(wanted) == len(found) and all(map(fnmatch.fnmatchcase, found, wanted))
    return fnmatch.fnmatchcase(path if anchored else path.rsplit("/", 1)[-1], bare)


def _parts_match(wanted: list[str], found: list[str]) -> bool:
    if not wanted or not found:
        return not found and all(part == "**" for part in wanted)
    if wanted[0] == "**":
        return _parts_match(wanted[1:], found) or _parts_match(wanted, found[1:])
    return fnmatch.fnmatchcase(found[0], wanted[0]) and _parts_match(wanted[1:], found[1:])


TOOLS: dict[str, Tool] = {"Core Tools": core_tools, "azd": azd}

# What a checkout that somebody has worked in holds beside the project's own files: to go along, and not to.
USERS_OWN = ("nvaha.yaml", "ca.pem")
LEFT_BEHIND = (
    "__pycache__/function_app.cpython-313.pyc",
    "nvaha/__pycache__/notify.cpython-313.pyc",
    "nvaha/core/__pycache__/decide.cpython-313.pyc",
    "nvaha/.DS_Store",
    ".azure/edge-monitor/.env",
    ".env",
    ".github/workflows/deploy.yml",
    ".idea/workspace.xml",
    ".python_packages/lib/site-packages/yaml/__init__.py",
    ".venv/lib/python3.13/site-packages/yaml/__init__.py",
    ".venv-3.13/pyvenv.cfg",
    ".vscode/settings.json",
    "bench/probes.py",
    "build/lib/nvaha/notify.py",
    "dist/nvaha-0.1.0-py3-none-any.whl",
    "env/pyvenv.cfg",
    "local.settings.json",
    "node_modules/azurite/package.json",
    "nvaha.egg-info/PKG-INFO",
    "nvaha_env/pyvenv.cfg",
    "venv/pyvenv.cfg",
)


def wanted(name: str) -> bool:
    """Tell whether a file of a checkout belongs into the package."""
    if name in {"LICENSE", "function_app.py", "host.json", "requirements.txt", *USERS_OWN}:
        return True
    if name.startswith(("nvaha/lab/", "nvaha/cli/")) or "/__pycache__/" in name or name in LEFT_BEHIND:
        return False
    return name.startswith("nvaha/")


def package_problems(ignore: str, names: Iterable[str]) -> list[str]:
    """Report what a tool packages and should not, and what it does not and should."""
    there = sorted({*names, *USERS_OWN, *LEFT_BEHIND})
    problems = []
    for tool, packed in TOOLS.items():
        inside = set(packed(ignore, there))
        problems += [f"{tool} leaves {name} out" for name in there if wanted(name) and name not in inside]
        problems += [f"{tool} packages {name}" for name in sorted(inside) if not wanted(name)]
    return problems
