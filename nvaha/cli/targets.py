"""Apps by name: a file of one's own with their addresses and keys, so that nobody types either at night."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError
from rich.text import Text

from nvaha.cli.asked import ASKED
from nvaha.cli.failure import usage
from nvaha.cli.fold import say
from nvaha.cli.options import AsJson
from nvaha.cli.output import OutputForm, form, show
from nvaha.text import safe

_LARGEST = 256 * 1024
# libyaml is about ten times faster; every wheel of PyYAML has it, a source build may not.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]

app = typer.Typer()


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Target(_Form):
    """One app."""

    url: str
    key: SecretStr | None = None


class _File(_Form):
    targets: dict[Name, Target] = Field(default_factory=dict)


def path(environ: Mapping[str, str] = os.environ, *, windows: bool = os.name == "nt") -> Path:
    """Return where the file is."""
    if windows:
        base = environ.get("APPDATA") or "~/AppData/Roaming"
    else:
        base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "nvaha" / "targets.yaml"


def connection(url: str | None, key: str | None) -> tuple[str | None, str | None]:
    """Return the address and key to use: the target's, both, or what was given; never one of each.

    Args:
        url: from `--url` or its variable.
        key: from `--key` or its variable.

    Raises:
        Failure: two of them were asked for, or the target is not in the file.
    """
    if ASKED.target is None:
        return url, key
    from_environment = (url or None, key or None) == (
        os.environ.get("NVAHA_URL") or None,
        os.environ.get("NVAHA_KEY") or None,
    )
    if not from_environment or (url and not ASKED.explicit):
        raise usage(
            f"target {safe(ASKED.target)} and another address or key are given: give one of them",
            hints=["unset NVAHA_TARGET or NVAHA_URL, or give --target or --url alone"],
        )
    known = load()
    target = known.get(ASKED.target)
    if target is None:
        names = ", ".join(known) or "none"
        raise usage(f"there is no target {safe(ASKED.target)} in {path()}; there is: {names}")
    return target.url, target.key.get_secret_value() if target.key else None


def load(*, warn: bool = True) -> dict[str, Target]:
    """Return all targets, none if there is no file; what is wrong with it is told without what is in it.

    Args:
        warn: whether to say that others may read it.
    """
    where = path()
    try:
        if where.stat().st_size > _LARGEST:
            raise usage(f"{where} has more than {_LARGEST} bytes: is it the right file?")
        content = where.read_text(encoding="utf-8")
        # On Windows a profile is its owner's, and these bits say nothing.
        shared = os.name != "nt" and where.stat().st_mode & _OTHERS
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise usage(f"{where} cannot be read: {reason}") from None
    if shared and warn:
        say(f"Warning: others on this machine may read {where}, and the keys in it: chmod 600 it", err=True)
    try:
        document = yaml.load(content, Loader=_LOADER) or {}  # noqa: S506 - both are safe ones
        return _File.model_validate(document).targets
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise usage(f"{where}{line}: not YAML") from None
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)
        said = dict.fromkeys(f"{_place(document, each['loc'])}: {each['msg']}" for each in wrong)
        raise usage(f"{where}: {'; '.join(said)}") from None
    except RecursionError:
        raise usage(f"{where}: nested too deeply") from None


def _place(document: object, loc: tuple[int | str, ...]) -> str:
    """Return where in the file something is, without a word of it: a key may stand where a name should."""
    names = document.get("targets") if isinstance(document, dict) else None
    if len(loc) < 2 or not isinstance(names, dict):
        return "targets" if loc == ("targets",) else "the file"
    number = next((at for at, name in enumerate(names, start=1) if name == loc[1]), 0)
    return f"target {number}, {loc[2]}" if loc[2:] in {("url",), ("key",)} else f"target {number}"


def names(incomplete: str) -> list[str]:
    """Return the targets whose name begins so, for completion; none if the file cannot be used."""
    try:
        return [name for name in load(warn=False) if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - a shell that completes is no place for complaints
        return []


@app.callback()
def _among_others() -> None:
    """Typer would take a single command for the program itself."""


@app.command("targets")
def targets(output: OutputForm = None, as_json: AsJson = False) -> None:
    """List the apps that --target can name; their keys are not shown."""
    known = load()
    shown = [
        {"name": name, "url": safe(each.url), "key": each.key is not None} for name, each in known.items()
    ]

    def picture() -> Text:
        width = max(map(len, known), default=0)
        lines = [
            f"{each['name']!s:<{width}}  {each['url']}{'' if each['key'] else '  (no key)'}" for each in shown
        ]
        return Text("\n".join(lines) or f"There are no targets: {path()} has none, or is not there.")

    text = json.dumps({"file": str(path()), "targets": shown}, indent=2)
    how = form(output, as_json=as_json)
    show(how, text, picture, lambda: [each.values() for each in shown])
