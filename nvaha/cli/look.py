"""Looking: status, plan, history. Nothing here changes anything."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.console import Group as Stack
from rich.live import Live
from rich.text import Text

from nvaha.cli import render
from nvaha.cli.address import address
from nvaha.cli.client import App, AppRefused, pause
from nvaha.cli.failure import usage
from nvaha.cli.no_answer import NoAnswer
from nvaha.cli.options import AsJson, GroupName, Key, Url
from nvaha.cli.output import Output, OutputForm, Row, form, show
from nvaha.cli.replies import GroupReply, GroupsReply, HistoryReply, PlanReply
from nvaha.cli.streams import nobody_reads
from nvaha.cli.words import duration

REDRAW_S = 1.0
MAX_HISTORY = 100

app = typer.Typer()


@app.command()
def status(
    group: Annotated[
        str | None,
        typer.Argument(metavar="[GROUP]", help="One group, with its last operation.", show_default=False),
    ] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Redraw every second until Ctrl-C.")] = False,
    output: OutputForm = None,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Show the groups: active NVA, health, what is wrong.

    Who leads, and for each group its phase, its active NVA, every NVA's health and what needs attention.
    """
    how = form(output, as_json=as_json)
    if watch and how is not Output.TABLE:
        raise usage(f"--watch draws for a person, {how} is for a program: give one of them")
    if watch and not sys.stdout.isatty():
        raise usage("--watch needs a terminal; for a program, repeat nvaha status --json")
    with App(address(url, key)) as there:
        if how is not Output.TABLE and group:
            one = there.get(GroupReply, "groups", group)
            show(how, one.text, Text, lambda: _rows([one.view]))
        elif how is not Output.TABLE:
            everything = there.get(GroupsReply, "groups")
            show(how, everything.text, Text, lambda: _rows(everything.view.groups))
        elif watch:
            with contextlib.suppress(KeyboardInterrupt):  # that is how one leaves
                keep_drawing(render.console(), there.where.base, lambda: look(there, group), _forever())
        else:
            picture, _ = look(there, group)
            render.console().print(picture)


def _rows(views: Iterable[GroupReply]) -> Iterable[Row]:
    """Return a line for each NVA of each group."""
    return (
        (view.name, view.phase, view.active, view.target, view.paused, nva.name, nva.health, nva.failures)
        for view in views
        for nva in view.nvas
    )


def look(there: App, group: str | None) -> tuple[RenderableType, datetime]:
    """Return the status as a picture, and the app's time when it was taken."""
    if group is None:
        everything = there.get(GroupsReply, "groups")
        return render.groups(everything.view, everything.now), everything.now
    one = there.get(GroupReply, "groups", group)
    monitors = there.get(GroupsReply, "groups").view
    parts: list[RenderableType] = [render.monitors(monitors, one.now), Text()]
    parts.append(render.groups_table([one.view], one.now))
    if one.view.operation is not None:
        parts += [Text(), render.operation(one.view.operation, one.now)]
    return Stack(*parts), one.now


def keep_drawing(
    console: Console,
    origin: str,
    take: Callable[[], tuple[RenderableType, datetime]],
    pauses: Iterable[None],
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Redraw a picture until the pauses or the operator's patience end.

    Moments in which the app does not answer are said on the screen, above the last picture. What will not
    mend itself, such as a wrong key, ends it when it comes first.

    Args:
        console: where to draw.
        origin: what is asked, for the title.
        take: returns the picture and the app's time.
        pauses: one for each time around.
        monotonic: seconds on a clock that is never set.
    """
    last: tuple[RenderableType, datetime] | None = None
    silent_since: float | None = None
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        for _ in pauses:
            try:
                last = take()
                trouble, silent_since = None, None
            except NoAnswer as failure:
                if last is None and not failure.passing:
                    raise
                trouble = failure.message
            except AppRefused as failure:
                if last is None:
                    raise
                trouble = failure.message
            if trouble is not None and silent_since is None:
                silent_since = monotonic()
            silent_s = 0.0 if silent_since is None else monotonic() - silent_since
            live.update(_screen(origin, last, trouble, silent_s), refresh=True)


def _screen(
    origin: str, last: tuple[RenderableType, datetime] | None, trouble: str | None, silent_s: float
) -> RenderableType:
    title = Text(f"nvaha status of {origin.removesuffix('/api')}", style="bold")
    if last is not None:
        title.append(f"  at {last[1]:%H:%M:%S} UTC", style="")
    title.append("  (Ctrl-C ends)", style="dim")
    parts: list[RenderableType] = [title]
    if trouble is not None:
        parts.append(Text(f"No answer for {duration(silent_s)}: {trouble}. Still asking.", style="bold red"))
        if last is not None:
            parts.append(Text("Below is the last answer; it is getting old.", style="red"))
    return Stack(*parts, Text(), *([last[0]] if last else []))


def _forever() -> Iterable[None]:
    while not nobody_reads():  # an operator ends it, or the terminal itself
        yield None
        pause(REDRAW_S)


@app.command()
def plan(
    group: GroupName,
    *,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NVA", help="The NVA to move to; required.", show_default=False),
    ] = None,
    output: OutputForm = None,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Show what a failover would change; change nothing.

    Step by step, as Azure stands now, with what forbids the failover at this moment.
    """
    how = form(output, as_json=as_json)
    with App(address(url, key)) as there:
        if to is None:
            raise where_to(there, "plan", group)
        answer = there.get(PlanReply, "groups", group, "plan", to=to)
        show(
            how,
            answer.text,
            lambda: render.plan(answer.view),
            lambda: ((each.kind, each.resource_id, each.detail) for each in answer.view.steps),
        )


def where_to(there: App, command: str, group: str) -> Exception:
    """Return the failure of a command without --to, with the NVAs that could be named there."""
    try:
        view = there.get(GroupReply, "groups", group).view
    except NoAnswer:
        return usage("say where to: --to NVA")
    except AppRefused as refused:
        return refused
    return nowhere(view, command)


def nowhere(view: GroupReply, command: str) -> Exception:
    """Return the failure of a command without --to, with the NVAs that the group could go to."""
    group = view.name
    others = [nva for nva in view.nvas if nva.name != view.active]
    said = ", ".join(f"{nva.name} ({nva.health})" for nva in others)
    best = next((nva.name for nva in others if nva.health == "up"), None)
    hints = [f"nvaha {command} {group} --to {best}"] if best else []
    active = view.active or "not known"
    return usage(f"say where to: --to NVA. {group} can go to {said}; active is {active}", hints=hints)


@app.command()
def history(
    group: Annotated[
        str | None,
        typer.Argument(metavar="[GROUP]", help="One group; without it, all of them.", show_default=False),
    ] = None,
    *,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MAX_HISTORY, help="How many operations at most.")
    ] = 20,
    output: OutputForm = None,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Show a group's switches, or all: why, by whom, how they ended."""
    how = form(output, as_json=as_json)
    with App(address(url, key)) as there:
        path = ("groups", group, "history") if group else ("history",)
        answer = there.get(HistoryReply, *path, limit=limit)
    show(
        how,
        answer.text,
        lambda: render.history(answer.view),
        lambda: (
            (
                each.requested_at and f"{each.requested_at:%Y-%m-%dT%H:%M:%SZ}",
                each.group,
                each.source,
                each.to,
                each.status,
                each.trigger,
                each.seconds,
                each.requested_by,
                each.id,
            )
            for each in answer.view.operations
        ),
    )
