"""What a terminal shows: values in, rich renderables out. Colour never says what the words do not."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO, cast

from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nvaha.cli.replies import (
    AdviceReply,
    CanaryReply,
    GroupReply,
    GroupsReply,
    HistoryReply,
    InstanceReply,
    LeaderReply,
    NvaReply,
    OperationReply,
    PlanReply,
    ScheduledReply,
    StepReply,
)
from nvaha.cli.words import age, duration, span
from nvaha.text import alike, without_ids

_PIPE_WIDTH = 160
_PADDING = re.compile(r" +$", re.MULTILINE)
_LAYOUTS = (
    ("Group", "Phase", "Active", "Switched", "NVA", "Health", "Latency", "Failures", "Last error"),
    ("Group", "Phase", "Active", "Switched", "NVA", "Health", "Latency", "Failures"),
    ("Group", "Phase", "Active", "NVA", "Health", "Latency", "Failures"),
    ("Group", "Phase", "NVA", "Health", "Latency", "Failures"),
)
"""The columns of the groups' table, from the widest layout to the narrowest. Errors and a switch under
way get a line below the table where they have no column."""
_ERROR_ROOM = 40
_COLOURS = {
    "up": "green",
    "down": "bold red",
    "unknown": "yellow",
    "steady": "green",
    "switching": "bold yellow",
    "done": "green",
    "failed": "bold red",
    "superseded": "yellow",
    "running": "bold yellow",
    "requested": "yellow",
    "skipped": "dim",
    "planned": "dim",
    "error": "bold red",
    "warning": "yellow",
}


def console(*, stderr: bool = False) -> Console:
    """Return where to print; wide where nobody watches, so that no line of a log is folded."""
    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    width = shutil.get_terminal_size((_PIPE_WIDTH, 24)).columns
    return Console(
        file=cast("TextIO", _Unpadded(stream)), width=width, highlight=False, emoji=False, markup=False
    )


class _Unpadded:
    """A stream that gives its text on without the blanks by which tables fill their lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Give a text on."""
        return self._stream.write(_PADDING.sub("", text))


def _word(word: str) -> Text:
    return Text(word, style=_COLOURS.get(word, ""))


def _table(*headers: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for header in headers:
        last = header == "What"
        table.add_column(
            header, justify=_justify(header), no_wrap=not last, overflow="fold", ratio=1 if last else None
        )
    return table


def _justify(header: str) -> JustifyMethod:
    return "right" if header in {"Latency", "Failures", "Seconds"} else "left"


def sentence(text: str, style: str = "") -> Padding:
    """Return a sentence that keeps clear of the left edge when it is folded."""
    return Padding(Text(text, style=style), (0, 0, 0, 2))


def _labelled(rows: Sequence[tuple[Text, Text]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(label, text)
    return grid


def leader(view: LeaderReply | None, now: datetime) -> Text:
    """Return who leads, and whether that can be believed."""
    if view is None:
        return Text("No leader: no monitor has finished a round yet", style="bold red")
    text = Text.assemble(("Leader ", "bold"), f"{view.instance} (epoch {view.epoch}), ")
    # The record that this is read from is written every ten seconds, not every round.
    when = f"seen {age(view.round_at, now)}"
    if not view.fresh:
        text.append(f"NOT FRESH since {view.round_at:%H:%M:%S} UTC: last {when}", style="bold red")
    else:
        text.append(when)
    for word, there in (("BLIND", view.blind), ("NO STANDBY", view.alone)):
        if there:
            text.append(f"; {word}", style="bold red")
    return text


def advised(label: str, advice: Sequence[AdviceReply]) -> list[tuple[Text, Text]]:
    """Return a row for each thing that is not plain good: what it is of, how it stands, what to do now."""
    return [
        (
            Text(label, style="bold"),
            Text.assemble(
                (each.text, _COLOURS.get(each.level, "")),
                f"\n→ {each.todo}",
                (f"  ({each.runbook})" if each.runbook else "", "dim"),
            ),
        )
        for each in advice
    ]


def advice(label: str, found: Sequence[AdviceReply]) -> RenderableType:
    """Return what is not plain good, a block for each."""
    return _labelled(advised(label, found))


def monitors(view: GroupsReply, now: datetime) -> RenderableType:
    """Return who leads, and below it each other instance with what it could do."""
    others = [_instance(each, now) for each in view.instances if not each.leads]
    told = [advice("monitor", view.advice)] if view.advice else []
    return Group(leader(view.leader, now), *others, *told)


def _instance(view: InstanceReply, now: datetime) -> Text:
    name = f"{view.name} ({view.version})" if view.version else view.name
    when = f"seen {age(view.written_at, now)}"
    if not view.fresh:
        return Text(f"Gone {name}, {when}", style="dim")
    text = Text.assemble(("Standby ", "bold"), f"{name}, {when}")
    if view.asked:
        style = "" if view.answered else "bold red"
        text.append(f", {view.answered} of {view.asked} answer it", style=style)
    if not view.same_configuration:
        text.append("; ANOTHER CONFIGURATION than the leader's", style="bold red")
    elif view.abstains:
        text.append("; does not ask to lead for a while: it was blind", style="yellow")
    elif not view.could_lead:
        text.append("; COULD NOT LEAD: the lease was not answered for lately", style="bold red")
    return text


def groups(view: GroupsReply, now: datetime) -> RenderableType:
    """Return the leader, the instances beside it and all groups."""
    if not view.groups:
        return Group(monitors(view, now), Text(), Text("No group is configured."))
    parts = [monitors(view, now), Text(), groups_table(view.groups, now)]
    return Group(*parts, *([] if view.canary is None else [Text(), canary(view.canary, now)]))


def canary(view: CanaryReply, now: datetime) -> RenderableType:
    """Return whether switching works, as far as the canary knows, and what to do if not."""
    return Group(_canary(view, now), *([advice(view.name, view.advice)] if view.advice else []))


def _canary(view: CanaryReply, now: datetime) -> Text:
    text = Text.assemble(("Canary ", "bold"))
    if view.done_at is None:
        text.append("has not been switched well yet", style="yellow")
    else:
        took = f" in {duration(view.seconds['done'])}" if "done" in view.seconds else ""
        text.append(
            f"was switched well {age(view.done_at, now)}{took}", style="" if view.overdue else "green"
        )
    if view.status == "running":
        text.append("; a run is under way", style="bold yellow")
    if view.overdue:
        text.append("; OVERDUE", style="bold red")
    return text


def groups_table(views: Sequence[GroupReply], now: datetime) -> RenderableType:
    """Return one line for each NVA, and below them what needs attention, as the width allows."""
    return _GroupsTable(views, now)


@dataclass(frozen=True, slots=True)
class _GroupsTable:
    """The groups in the first layout that fits where they are drawn; the last one folds its cells."""

    views: Sequence[GroupReply]
    now: datetime

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        layout = next((each for each in _LAYOUTS if self._width(each) <= options.max_width), _LAYOUTS[-1])
        yield self._table(layout)
        rows = [row for view in self.views for row in self._below(view, layout)]
        if rows:
            yield Text()
            yield _labelled(rows)

    def _table(self, layout: Sequence[str]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for header in layout:
            folds = header == "Last error" or (layout is _LAYOUTS[-1] and header in {"Group", "NVA"})
            table.add_column(header, justify=_justify(header), no_wrap=not folds, overflow="fold")
        for number, view in enumerate(self.views):
            if number:
                table.add_row()
            for cells in _rows(view, self.now):
                table.add_row(*(cells.get(header, Text()) for header in layout))
        return table

    def _width(self, layout: Sequence[str]) -> int:
        """Return the columns that a layout needs, with room for errors that lets few of them be folded."""
        width = 0
        for header in layout:
            cells = (row.get(header, Text()).cell_len for view in self.views for row in _rows(view, self.now))
            widest = max((len(header), *cells))
            width += 2 + (min(widest, _ERROR_ROOM) if header == "Last error" else widest)
        return width

    def _below(self, view: GroupReply, layout: Sequence[str]) -> list[tuple[Text, Text]]:
        if view.canary is not None:
            return [(Text(view.name, style="bold"), _canary(view.canary, self.now))]
        notes = []
        if "Active" not in layout and view.target:
            notes.append(Text(f"switching: {_active(view)}", style="bold yellow"))
        if "Last error" not in layout:
            notes += [Text(f"{nva.name}: {text}", style="red") for nva in view.nvas if (text := _error(nva))]
        if view.scheduled is not None:
            text = f"scheduled: {scheduled_for(view.scheduled)}; unless: nvaha cancel {view.name}"
            notes.append(Text(text, style="yellow"))
        if view.advice is None:
            notes += _unadvised(view)
        rows = [(Text(view.name, style="bold"), note) for note in notes]
        return rows + advised(view.name, view.advice or ())


def _rows(view: GroupReply, now: datetime) -> list[dict[str, Text]]:
    """Return a group's cells by column, a row for each NVA; what they have in common only in the first."""
    head = {
        "Group": Text(view.name, style="bold"),
        "Phase": _word(view.phase),
        "Active": Text(_active(view)),
        "Switched": Text(age(view.last_switch_at, now)),
    }
    nvas = [_nva(nva, now, is_active=nva.name == view.active) for nva in view.nvas]
    return [{**head, **nvas[0]}, *nvas[1:]] if nvas else [head]


def _active(view: GroupReply) -> str:
    if view.target:
        return f"{view.active or '?'} → {view.target}"
    return view.active or "not known"


def _nva(nva: NvaReply, now: datetime, *, is_active: bool) -> dict[str, Text]:
    latency = "" if nva.latency_ms is None else f"{nva.latency_ms:.1f} ms"
    return {
        "NVA": Text(f"{nva.name} *" if is_active else nva.name, style="bold" if is_active else ""),
        "Health": _word(nva.health).append(f" {span(nva.since, now)}".rstrip(), style="not bold default"),
        "Latency": Text(latency),
        "Failures": Text(str(nva.failures or "")),
        "Last error": Text(_error(nva)),
    }


def _error(nva: NvaReply) -> str:
    """Return an NVA's last error while it says something about now."""
    return nva.last_error or "" if nva.failures or nva.health != "up" else ""


def _unadvised(view: GroupReply) -> Iterator[Text]:
    """Yield what an app that gives no advice, older than this command, says beyond the table's line."""
    flags = ("all_down", "paused", "wanted", "blocked", "rival", "hold")
    told = [(name.replace("_", " "), getattr(view, name)) for name in flags]
    told += [("drift", each) for each in view.drift]
    told += [(f"{nva.name} is not ready for a switch", each) for nva in view.nvas for each in nva.not_ready]
    told += [(f"{nva.name} is unsteady", True) for nva in view.nvas if nva.unsteady]
    for name, value in told:
        if value:
            yield Text(name if value is True else f"{name}: {value}", style="bold red")


def scheduled_for(view: ScheduledReply) -> str:
    """Return a scheduled failover in words."""
    source = f"from {view.source} " if view.source else ""
    reason = f" ({view.reason})" if view.reason else ""
    return (
        f"a failover {source}to {view.to} at {view.at:%Y-%m-%d %H:%M:%S} UTC, by {view.requested_by}{reason}"
    )


def operation(view: OperationReply, now: datetime) -> RenderableType:
    """Return one operation with its steps, as it stands."""
    title = Text.assemble(
        ("Operation ", "bold"), f"{view.id}: {view.source or 'unknown'} → {view.to}, ", _word(view.status)
    )
    if view.seconds is not None and view.ended:
        title.append(f" in {duration(view.seconds)}")
    elif view.requested_at is not None and not view.ended:
        title.append(f" for {duration((now - view.requested_at).total_seconds())}")
    parts: list[RenderableType] = [title, sentence(_asked(view, now), "dim")]
    if view.steps:
        parts.append(Padding(_steps(view.steps, view.ended_at or now), (0, 0, 0, 2)))
    elif not view.ended:
        parts.append(sentence("waiting for a worker to take it up"))
    parts += [sentence(each, "bold red") for each in _ended_badly(view)]
    return Group(*parts)


def _ended_badly(view: OperationReply) -> Iterator[str]:
    """Yield why an operation failed and what it left undone, each thing once."""
    if view.error and not (view.unfinished and view.error.startswith("left undone: ")):
        yield view.error
    for each in alike(view.unfinished):
        yield f"unfinished: {each}"


def _asked(view: OperationReply, now: datetime) -> str:
    forced = ", forced" if view.forced else ""
    reason = f": {view.why}" if view.why else ""
    return f"{view.trigger}{forced}, asked for {age(view.requested_at, now)} by {view.requested_by}{reason}"


def _steps(steps: Sequence[StepReply], now: datetime) -> Table:
    table, told = _table("Step", "Status", "Seconds", "What"), set[str]()
    for step in steps:
        what = Text(step.detail)
        if step.attempts > 1:
            what.append(f" ({step.attempts} attempts)", style="dim")
        if step.error:
            reason = without_ids(step.error)
            what.append(f"\n{'the same error as above' if reason in told else step.error}", style="red")
            told.add(reason)
        table.add_row(step.kind, _word(step.status), _seconds(step, now), what)
    return table


def _seconds(step: StepReply, now: datetime) -> str:
    if step.started_at is None:
        return ""
    if step.ended_at is not None:
        return f"{max((step.ended_at - step.started_at).total_seconds(), 0.0):.1f}"
    return f"{max((now - step.started_at).total_seconds(), 0.0):.0f}"


def plan(view: PlanReply) -> RenderableType:
    """Return what a failover would change, and what forbids it now."""
    parts: list[RenderableType] = [Text(f"Plan: {view.group} to {view.to}", style="bold")]
    if view.steps:
        table = _table("Step", "What")
        for step in view.steps:
            table.add_row(step.kind, step.detail)
        parts.append(Padding(table, (0, 0, 0, 2)))
    else:
        parts.append(sentence(f"no step: Azure has everything on {view.to} already"))
    parts += [sentence(f"cannot be moved: {each}", "bold red") for each in view.problems]
    if view.hold:
        parts.append(sentence(f"{view.hold}; a command is carried out all the same", "yellow"))
    if view.forbids:
        parts.append(sentence(f"forbidden now: {view.forbids}", "bold red"))
    elif view.allowed:
        parts.append(sentence("nothing forbids it now", "green"))
    else:
        parts.append(sentence("forbidden now, without a reason given", "bold red"))
    return Group(*parts)


def history(view: HistoryReply) -> RenderableType:
    """Return a group's operations, newest first."""
    parts: list[RenderableType] = [sentence(each, "bold red") for each in view.unreadable]
    if not view.operations:
        return Group(*parts) if parts else Text(f"{view.group or 'No group'} has never been switched.")
    heads = [_history_head(each) for each in view.operations]
    widths = [max(map(len, column)) for column in zip(*heads, strict=True)]
    widest = max(len(each.group) for each in view.operations)
    for each, head in zip(view.operations, heads, strict=True):
        asked, switch, ended, trigger = (part.ljust(width) for part, width in zip(head, widths, strict=True))
        whose = "" if view.group else f"  {each.group:<{widest}}"
        line = Text.assemble(
            (asked, "bold"), whose, "  ", switch, "  ", (ended, _COLOURS.get(each.status, ""))
        )
        parts.append(line.append(f"  {trigger}".rstrip()))
        if each.why:
            parts.append(sentence(each.why))
        parts += [sentence(text, "bold red") for text in _ended_badly(each)]
        correlated = f", in the activity log {each.correlation_id}" if each.correlation_id else ""
        parts.append(sentence(f"{each.id}, by {each.requested_by}{correlated}", "dim"))
    return Group(*parts)


def _history_head(view: OperationReply) -> tuple[str, str, str, str]:
    asked = f"{view.requested_at:%Y-%m-%d %H:%M:%S} UTC" if view.requested_at else "at an unknown time"
    ended = view.status if view.seconds is None else f"{view.status} in {duration(view.seconds)}"
    trigger = f"{view.trigger}, forced" if view.forced else view.trigger
    return asked, f"{view.source or 'unknown'} → {view.to}", ended, trigger
