"""Examining the app: everything that it needs, tried from where it runs, each finding with what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Annotated

import typer
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from nvaha.cli import render
from nvaha.cli.address import address
from nvaha.cli.client import App
from nvaha.cli.door import at_the_door
from nvaha.cli.failure import ExitCode
from nvaha.cli.no_answer import NoAnswer
from nvaha.cli.options import AsJson, Key, Url
from nvaha.cli.output import Output, OutputForm, form, show
from nvaha.cli.replies import DoctorReply, FindingReply
from nvaha.cli.words import counted

app = typer.Typer()
_STYLES = {"ok": "green", "info": "dim", "warning": "yellow", "unknown": "yellow", "error": "bold red"}
_MARKS = {"ok": "ok", "info": "note", "warning": "WARNING", "unknown": "NOT KNOWN", "error": "ERROR"}


@app.callback()
def _among_others() -> None:
    """Typer would take a single command for the program itself."""


@app.command()
def doctor(
    group: Annotated[
        str | None,
        typer.Argument(
            metavar="[GROUP]", help="Examine this group alone; without it all.", show_default=False
        ),
    ] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 on a warning, too.")] = False,
    output: OutputForm = None,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Examine everything that the app needs, from where it runs; change nothing.

    It ends with 1 if something is wrong, with 3 if something could not be told, the app's answer among it.
    """
    how, where = form(output, as_json=as_json), address(url, key)
    query = {"group": group} if group else {}
    try:
        with App(where) as there:
            answer = there.get(DoctorReply, "doctor", **query)
    except NoAnswer as failure:
        steps = at_the_door(where, failure)
        if how is Output.TABLE:
            render.console().print(_picture(steps, f"The app at {where.base.removesuffix('/api')}"))
        failure.details = (
            *failure.details,
            *({"path": each.subject, "message": each.text} for each in steps),
        )
        raise
    view = answer.view
    title = f"nvaha {view.version} at {where.base.removesuffix('/api')}, {view.instance or 'no instance'}"
    show(how, answer.text, lambda: _picture(view.findings, title), lambda: map(_row, view.findings))
    raise typer.Exit(_code(view, strict=strict))


def _code(view: DoctorReply, *, strict: bool) -> ExitCode:
    levels = {each.level for each in view.findings}
    if "error" in levels or (strict and "warning" in levels):
        return ExitCode.REFUSED
    return ExitCode.NO_ANSWER if "unknown" in levels else ExitCode.DONE


def _row(each: FindingReply) -> tuple[str, ...]:
    return each.area, each.level, each.code, each.subject, each.text, each.remedy


def _picture(findings: Iterable[FindingReply], title: str) -> RenderableType:
    """Return the findings by area: a line for what is well, and a block for each that is not."""
    findings = list(findings)
    parts: list[RenderableType] = [Text(title, style="bold"), Text()]
    for area, found in groupby(findings, lambda each: each.area):
        parts.append(Text(area.capitalize(), style="bold"))
        parts += [_line(each) for each in found]
    count = Counter(each.level for each in findings)
    said = [counted(count[level], level) for level in ("error", "warning") if count[level]]
    said += [f"{count['unknown']} not known"] if count["unknown"] else []
    parts += [Text(), Text(", ".join(said) or "nothing to mend", style="bold" if said else "bold green")]
    return Stack(*parts)


def _line(each: FindingReply) -> RenderableType:
    style = _STYLES.get(each.level, "bold red")
    text = Text.assemble(
        (f"{_MARKS.get(each.level, each.level)} ", style), f"{short(each.subject)}: {each.text}"
    )
    if each.remedy:
        text.append(f"\n→ {each.remedy}")
    return Padding(text, (0, 0, 0, 2))


def short(subject: str) -> str:
    """Return a resource id as its kind and name; whatever else is as it is."""
    if not subject.startswith("/subscriptions/"):
        return subject
    return "/".join(subject.rstrip("/").split("/")[-2:])
