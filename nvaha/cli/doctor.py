"""Examining the app: everything that it needs, tried from where it runs, each finding with what to do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, repeat, zip_longest
from typing import Annotated

import typer
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table
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
_MOST_WELL = 4
_ID = re.compile(r"/subscriptions/[^ ',:()]+")
_OWN_WORDS = re.compile(r"(?<=[A-Za-z]\)): .*", re.DOTALL)
"""Azure's own words, behind what nvaha has read out of them: `(403 AuthorizationFailed): The client …`."""
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
            if steps[-1].text in failure.message:
                raise typer.Exit(failure.exit_code) from None
            raise
        failure.details = (
            *failure.details,
            *({"path": each.subject, "message": each.text} for each in steps),
        )
        raise
    view = answer.view
    title = f"The app at {where.base.removesuffix('/api')}: release {view.version}"
    title += f", instance {view.instance}" if view.instance else ""
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
    """Return the findings by area: a line for what is well, and what to do below what is not."""
    findings = list(findings)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for area, found in groupby(findings, lambda each: each.area):
        for name, each in zip(chain([area], repeat("")), _fewer(list(found)), strict=False):
            grid.add_row(
                name, Text(_MARKS.get(each.level, each.level), _STYLES.get(each.level, "red")), _told(each)
            )
    count = Counter(each.level for each in findings)
    said = [counted(count[level], level) for level in ("error", "warning") if count[level]]
    said += [f"{count['unknown']} not known"] if count["unknown"] else []
    end = Text(", ".join(said), style="bold red") if said else Text("nothing to mend", style="bold green")
    return Stack(Text(title, style="bold"), Text(), grid, Text(), end)


def _fewer(found: list[FindingReply]) -> Iterator[FindingReply]:
    """Yield the findings of an area: of many that are well one line, a remedy once below all it is for."""
    well = [each for each in found if each.level == "ok"]
    shown = found
    if len(well) > _MOST_WELL:
        line = well[0].model_copy(update={"subject": "", "text": f"{len(well)} of {len(found)} are well"})
        shown = [line, *(each for each in found if each.level != "ok")]
    for each, after in zip_longest(shown, shown[1:]):
        same = after is not None and after.remedy == each.remedy
        yield each.model_copy(update={"remedy": ""}) if same else each


def _told(each: FindingReply) -> Text:
    subject = f"{_named(each.subject)}: " if each.subject else ""
    text = Text(f"{subject}{_ID.sub(_name_in, _OWN_WORDS.sub(r'', each.text))}")
    if each.remedy:
        text.append(f"\n→ {each.remedy}", style="italic")
    return text


def _named(subject: str) -> str:
    return _ID.sub(_name_in, subject)


def _name_in(match: re.Match[str]) -> str:
    """Return a resource id as its kind and name: the whole one is in the JSON."""
    return "/".join(match[0].rstrip("/").split("/")[-2:])
