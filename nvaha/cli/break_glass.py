"""What is kept for the day when nvaha is gone: the commands that move each group by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from nvaha.cli.address import Address, address
from nvaha.cli.client import App
from nvaha.cli.failure import ExitCode, Failure, usage
from nvaha.cli.offline import load_file
from nvaha.cli.options import Key, Url
from nvaha.cli.replies import BreakGlassReply, GroupsReply, MoveReply, SheetReply
from nvaha.text import HIDDEN, safe

HOLD = "nvaha-hold=break-glass"
SUFFIX = ".azcli"
_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/[^/]+/[^/]+/(?P<name>[^/]+)",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[A-Za-z0-9_./:][A-Za-z0-9_./:=-]*")
_QUOTABLE = re.compile(r"[^'\u2018-\u201b\"\\`$%&|<>^!\x00-\x1f\x7f]+")
"""What stands for itself between single quotes in bash and in PowerShell, and in the batch file that az is on
Windows. Azure's own names hold nothing else."""

app = typer.Typer()


class UnsafeNameError(ValueError):
    """A name that shells would not take alike."""


@app.callback()
def _among_others() -> None:
    """Typer would take a single command for the program itself."""


@app.command("break-glass")
def break_glass(
    groups: Annotated[
        list[str] | None, typer.Argument(metavar="[GROUP]...", help="Default: all.", show_default=False)
    ] = None,
    *,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NVA", help="Only the move to this NVA.", show_default=False),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="DIR", help="A folder, one file for each group and NVA; - prints them."
        ),
    ] = "-",
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Do not ask the app: read Azure for this configuration, with this machine's credentials.",
            show_default=False,
        ),
    ] = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Write the az commands that move each group by hand, with nvaha gone.

    To be kept elsewhere, and written anew whenever routes are added. Nothing is changed.
    """
    answers = _from_azure(file, groups) if file else _from_app(address(url, key), groups)
    sheets = [(answer, sheet) for answer in answers for sheet in answer.nvas if to in (None, sheet.to)]
    if not sheets:
        known = ", ".join(dict.fromkeys(sheet.to for answer in answers for sheet in answer.nvas))
        raise usage(f"none of these groups has an NVA '{safe(to or '')}'; there are {known}")
    texts = {_file_name(answer.group, sheet.to): text_of(answer, sheet) for answer, sheet in sheets}
    if output == "-":
        typer.echo("\n".join(texts.values()), nl=False)
    else:
        _write(Path(output), texts)
    unsure = [f"{answer.group} to {sheet.to}" for answer, sheet in sheets if sheet.problems]
    if unsure:
        text = "not everything can be moved, the files say what: " + ", ".join(unsure)
        raise Failure(ExitCode.REFUSED, "incomplete", text)


def _from_app(where: Address, groups: list[str] | None) -> list[BreakGlassReply]:
    with App(where) as there:
        names = groups or [each.name for each in there.get(GroupsReply, "groups").view.groups]
        return [there.get(BreakGlassReply, "groups", each, "break-glass").view for each in names]


def _from_azure(file: Path, groups: list[str] | None) -> list[BreakGlassReply]:
    from nvaha.cli import online  # noqa: PLC0415 - Azure's libraries, which only this option needs

    known = {each.name: each for each in load_file(file, as_json=False).configuration.groups}
    if strange := [each for each in groups or () if each not in known]:
        raise usage(f"{safe(str(file))} has no group '{safe(strange[0])}'; it has {', '.join(known)}")
    return list(online.sheets([known[each] for each in groups or known]))


def text_of(answer: BreakGlassReply, sheet: SheetReply) -> str:
    """Return the commands that bring a group to one NVA, for bash and PowerShell alike.

    Raises:
        Failure: a name in it is one that shells would not take alike.
    """
    try:
        lines = list(_lines(answer, sheet))
    except UnsafeNameError as error:
        text = f"{answer.group}: no command is written with {error}: shells would not take it alike"
        raise Failure(ExitCode.REFUSED, "unsafe_name", text) from None
    return "\n".join(lines) + "\n"


_HEAD = """\
Moves group {group} to {to} by hand, where nvaha cannot.
Made from Azure as it was at {read_at}. It ages: a route or public IP that was added since is not in it.
Write it anew after each such change, and keep it where the end of nvaha does not take it along.

For bash and PowerShell, line by line, after az login. A line that fails is to be read, not skipped.
Each may be run again, and sets what it sets whether or not it was so before."""
_FIRST = """\
1. Hold nvaha, if any of it may still run: it would move everything back. It sees this at its next look,
   minutes from now: wait until nvaha status shows it. Or stop each function app that watches this group."""
_LAST = "3. Once nvaha is there again: tell it where the group is, then let it go on."


def _lines(answer: BreakGlassReply, sheet: SheetReply) -> Iterator[str]:
    yield from _remark(_HEAD.format(group=answer.group, to=sheet.to, read_at=_utc(answer.read_at)))
    for problem in sheet.problems:
        yield from _remark(f"NOT IN HERE: {problem}")
    yield ""
    yield from _remark(_FIRST)
    hold = answer.hold[:1]
    yield from (_tag("merge", each) for each in hold)
    yield ""
    yield from _remark(
        f"2. Move to {sheet.to}: routes, then public IPs off the other NVAs, then onto this one."
    )
    yield from map(_command, sheet.moves)
    yield ""
    name, to = quoted(answer.group), quoted(sheet.to)
    release = [f"   {_tag('delete', each)}" for each in hold]
    last = (f"   nvaha failover {name} --to {to}", *release)
    yield from _remark("\n".join((_LAST, *last)))


def _remark(text: str) -> Iterator[str]:
    """Yield lines that no shell runs, whatever stands in a name."""
    for line in text.splitlines():
        yield f"# {line}".rstrip()


def _command(move: MoveReply) -> str:
    found = _ID.fullmatch(move.resource_id)
    if found is None:
        raise UnsafeNameError(f"the id '{move.resource_id}'")
    where = {"--subscription": found["subscription"], "-g": found["group"]}
    if move.kind == "route":
        where |= {"--route-table-name": found["name"], "-n": move.name}
        return _az("network route-table route update", **where, **{"--next-hop-ip-address": move.value})
    where |= {"--nic-name": found["name"], "-n": move.name}
    public_ip = "null" if move.kind == "detach" else move.value
    return _az("network nic ip-config update", **where, **{"--public-ip-address": public_ip})


def _tag(operation: str, table: str) -> str:
    return _az("tag update", **{"--resource-id": table, "--operation": operation, "--tags": HOLD})


def _az(command: str, **options: str) -> str:
    return " ".join((f"az {command}", *(f"{flag} {quoted(value)}" for flag, value in options.items())))


def quoted(word: str) -> str:
    """Return a word as bash and PowerShell both take it; UnsafeNameError if there is no such way."""
    if _PLAIN.fullmatch(word):
        return word
    if HIDDEN in word or word.startswith("-") or not _QUOTABLE.fullmatch(word) or not word.isprintable():
        raise UnsafeNameError(f"the name '{word}'")
    return f"'{word}'"


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _file_name(group: str, nva: str) -> str:
    return f"{_part(group)}-to-{_part(nva)}{SUFFIX}"


def _part(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).lstrip(".")


def _write(folder: Path, texts: dict[str, str]) -> None:
    written: Iterable[Path] = ()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / name for name in texts]
        for path, text in zip(written, texts.values(), strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        text = f"{safe(str(folder))} cannot be written: {error.strerror or error}"
        raise Failure(ExitCode.REFUSED, "unwritable", text) from None
    for path in written:
        typer.echo(safe(str(path)))
