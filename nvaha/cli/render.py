"""What a terminal shows: values in, rich renderables out. Colour never says what the words do not."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nvaha.cli.replies import (
    GroupReply,
    GroupsReply,
    HistoryReply,
    LeaderReply,
    NvaReply,
    OperationReply,
    PlanReply,
    StepReply,
)
from nvaha.cli.words import age, duration

STALE_S = 30.0
"""As the app has it: health older than this says nothing about now."""
_PIPE_WIDTH = 160
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
}


def console(*, stderr: bool = False) -> Console:
    """Return where to print; wide where nobody watches, so that no line of a log is folded."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else shutil.get_terminal_size((_PIPE_WIDTH, 24)).columns
    return Console(stderr=stderr, width=width, highlight=False, emoji=False, markup=False)


def _word(word: str) -> Text:
    return Text(word, style=_COLOURS.get(word, ""))


def _table(*headers: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for header in headers:
        right = header in {"Latency", "Failures", "Seconds"}
        last = header in {"Last error", "What"}
        table.add_column(
            header,
            justify="right" if right else "left",
            no_wrap=not last,
            overflow="fold",
            ratio=1 if last else None,
        )
    return table


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
        return Text("No leader: no monitor has finished a round yet. Is the app running?", style="bold red")
    text = Text.assemble(("Leader ", "bold"), f"{view.instance} (epoch {view.epoch}), ")
    when = f"last round {age(view.round_at, now)}"
    if not view.fresh:
        since = f"{view.round_at:%H:%M:%S} UTC"
        text.append(f"NOT FRESH since {since}: {when}; nothing is probed or switched", style="bold red")
    else:
        text.append(when)
    if view.blind:
        text.append(
            "; BLIND: none of its probes is answered, so none is believed, and nothing is switched",
            style="bold red",
        )
    return text


def groups(view: GroupsReply, now: datetime) -> RenderableType:
    """Return the leader and all groups."""
    if not view.groups:
        return Group(leader(view.leader, now), Text(), Text("No group is configured."))
    return Group(leader(view.leader, now), Text(), groups_table(view.groups, now))


def groups_table(views: Sequence[GroupReply], now: datetime) -> RenderableType:
    """Return one line for each NVA, and below them what needs attention."""
    table = _table(
        "Group", "Phase", "Active", "Switched", "NVA", "Health", "Latency", "Failures", "Last error"
    )
    for number, view in enumerate(views):
        if number:
            table.add_row()
        _add_group(table, view, now)
    rows = [(Text(view.name, style="bold"), note) for view in views for note in _notes(view, now)]
    return Group(table, Text(), _labelled(rows)) if rows else table


def _add_group(table: Table, view: GroupReply, now: datetime) -> None:
    active = view.active or "not known"
    if view.target:
        active = f"{view.active or '?'} → {view.target}"
    head = [
        Text(view.name, style="bold"),
        _word(view.phase),
        Text(active),
        Text(age(view.last_switch_at, now)),
    ]
    for nva in view.nvas:
        table.add_row(*head, *_nva(nva, is_active=nva.name == view.active))
        head = [Text()] * 4
    if not view.nvas:
        table.add_row(*head)


def _nva(nva: NvaReply, *, is_active: bool) -> list[Text]:
    latency = "" if nva.latency_ms is None else f"{nva.latency_ms:.1f} ms"
    return [
        Text(f"{nva.name} *" if is_active else nva.name, style="bold" if is_active else ""),
        _word(nva.health),
        Text(latency),
        Text(str(nva.failures or "")),
        Text(nva.last_error or "" if nva.failures or nva.health != "up" else ""),
    ]


def _notes(view: GroupReply, now: datetime) -> list[Text]:
    """Return what an operator has to know about a group beyond its table line."""
    notes = []
    if view.all_down:
        notes.append(Text("every NVA is down", style="bold red"))
    if view.probed_at is None or now - view.probed_at > timedelta(seconds=STALE_S):
        notes.append(Text(f"health is old: last probed {age(view.probed_at, now)}", style="bold red"))
    if view.paused:
        text = f"paused: probed and reported, never switched by itself; ends with: nvaha resume {view.name}"
        notes.append(Text(text, style="yellow"))
    if not view.automatic:
        notes.append(Text("automatic switches are off (policy.automatic)", style="yellow"))
    if view.blocked:
        notes.append(Text(f"not switched: {view.blocked}", style="bold red"))
    if view.phase == "unknown":
        notes.append(Text("the active NVA has not been read from Azure yet", style="yellow"))
    notes += [Text(f"drift: {each}", style="yellow") for each in view.drift]
    return notes


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
    if view.error:
        parts.append(sentence(view.error, "bold red"))
    parts += [sentence(f"unfinished: {each}", "bold red") for each in view.unfinished]
    return Group(*parts)


def _asked(view: OperationReply, now: datetime) -> str:
    forced = ", forced" if view.forced else ""
    reason = f": {view.why}" if view.why else ""
    return f"{view.trigger}{forced}, asked for {age(view.requested_at, now)} by {view.requested_by}{reason}"


def _steps(steps: Sequence[StepReply], now: datetime) -> Table:
    table = _table("Step", "Status", "Seconds", "What")
    for step in steps:
        what = Text(step.detail)
        if step.attempts > 1:
            what.append(f" ({step.attempts} attempts)", style="dim")
        if step.error:
            what.append(f"\n{step.error}", style="red")
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
    if view.forbids:
        parts.append(sentence(f"forbidden now: {view.forbids}", "bold red"))
    elif view.allowed:
        parts.append(sentence("nothing forbids it now", "green"))
    else:
        parts.append(sentence("forbidden now, without a reason given", "bold red"))
    return Group(*parts)


def history(view: HistoryReply) -> RenderableType:
    """Return a group's operations, newest first."""
    if not view.operations:
        return Text(f"{view.group} has never been switched.")
    heads = [_history_head(each) for each in view.operations]
    widths = [max(map(len, column)) for column in zip(*heads, strict=True)]
    parts: list[RenderableType] = []
    for each, head in zip(view.operations, heads, strict=True):
        asked, switch, ended, trigger = (part.ljust(width) for part, width in zip(head, widths, strict=True))
        line = Text.assemble((asked, "bold"), "  ", switch, "  ", (ended, _COLOURS.get(each.status, "")))
        parts.append(line.append(f"  {trigger}".rstrip()))
        if each.why:
            parts.append(sentence(each.why))
        if each.error:
            parts.append(sentence(each.error, "red"))
        parts += [sentence(f"unfinished: {text}", "bold red") for text in each.unfinished]
        parts.append(sentence(f"{each.id}, by {each.requested_by}", "dim"))
    return Group(*parts)


def _history_head(view: OperationReply) -> tuple[str, str, str, str]:
    asked = f"{view.requested_at:%Y-%m-%d %H:%M:%S} UTC" if view.requested_at else "at an unknown time"
    ended = view.status if view.seconds is None else f"{view.status} in {duration(view.seconds)}"
    trigger = f"{view.trigger}, forced" if view.forced else view.trigger
    return asked, f"{view.source or 'unknown'} → {view.to}", ended, trigger
