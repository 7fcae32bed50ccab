"""Looking closer: Azure now against a group's record, and what is scheduled; nothing is changed."""

from __future__ import annotations

import json

import typer
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nvaha.cli.address import address
from nvaha.cli.client import App
from nvaha.cli.failure import ExitCode
from nvaha.cli.options import AsJson, GroupName, Key, Url
from nvaha.cli.output import OutputForm, form, show
from nvaha.cli.render import scheduled_for, sentence
from nvaha.cli.replies import CheckReply, GroupReply, GroupsReply
from nvaha.cli.words import counted

app = typer.Typer()


@app.command()
def check(
    group: GroupName, output: OutputForm = None, as_json: AsJson = False, url: Url = None, key: Key = None
) -> None:
    """Read Azure now, and compare it with a group's record.

    It ends with 1 if they differ, and with 3 if not everything could be read.
    """
    how = form(output, as_json=as_json)
    with App(address(url, key)) as there:
        answer = there.get(CheckReply, "groups", group, "check")
    view = answer.view
    show(
        how,
        answer.text,
        lambda: _picture(view),
        lambda: [
            (view.group, each.name, each.name == view.active, each.routes, each.public_ips, not each.off)
            for each in view.nvas
        ],
    )
    if view.unanswered:
        raise typer.Exit(ExitCode.NO_ANSWER)
    if not view.agrees:
        raise typer.Exit(ExitCode.REFUSED)


def _picture(view: CheckReply) -> RenderableType:
    parts: list[RenderableType] = [
        Text.assemble((view.group, "bold"), f": recorded as active is {view.active or 'no NVA'}")
    ]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for header in ("NVA", "Routes", "Public IPs", "To bring everything there"):
        table.add_column(header, justify="right" if header in {"Routes", "Public IPs"} else "left")
    for nva in view.nvas:
        writes = counted(len(nva.off), "write") if nva.off else "nothing"
        name = f"{nva.name} *" if nva.name == view.active else nva.name
        table.add_row(name, str(nva.routes), str(nva.public_ips), writes)
    parts.append(Padding(table, (0, 0, 0, 2)))
    parts += [sentence(f"differs: {each}", "bold red") for each in view.differs]
    parts += [sentence(f"gave no answer: {each}", "bold red") for each in view.unanswered]
    parts += [sentence(f"cannot be seen: {each}", "bold red") for each in view.hidden]
    parts += [sentence(each, "yellow") for each in (view.rival, view.hold) if each]
    parts += [
        sentence(f"{nva.name} is not ready for a switch: {each}", "bold red")
        for nva in view.nvas
        for each in nva.not_ready
    ]
    if view.agrees:
        parts.append(sentence("Azure agrees with the record", "green"))
    elif view.phase == "switching":
        parts.append(sentence("a switch is under way: nvaha status --watch shows it", "yellow"))
    return Stack(*parts)


@app.command()
def scheduled(output: OutputForm = None, as_json: AsJson = False, url: Url = None, key: Key = None) -> None:
    """List the failovers that are scheduled, and how to cancel them."""
    how = form(output, as_json=as_json)
    with App(address(url, key)) as there:
        answer = there.get(GroupsReply, "groups")
    waiting = [each for each in answer.view.groups if each.scheduled is not None]
    waiting.sort(key=lambda each: (each.scheduled.at if each.scheduled else answer.now, each.name))
    raw = {each["name"]: each["scheduled"] for each in json.loads(answer.text)["groups"]}
    text = json.dumps({"scheduled": [{"group": each.name, **raw[each.name]} for each in waiting]}, indent=2)
    show(how, text, lambda: _listed(waiting), lambda: map(_row, waiting))


def _listed(waiting: list[GroupReply]) -> RenderableType:
    lines: list[RenderableType] = []
    for each in waiting:
        if each.scheduled is not None:
            lines.append(Text.assemble((each.name, "bold"), f": {scheduled_for(each.scheduled)}"))
            lines.append(sentence(f"nvaha cancel {each.name}", "dim"))
    return Stack(*lines) if lines else Text("Nothing is scheduled.")


def _row(view: GroupReply) -> tuple[object, ...]:
    if view.scheduled is None:
        return ()
    plan = view.scheduled
    return (view.name, f"{plan.at:%Y-%m-%dT%H:%M:%SZ}", plan.source, plan.to, plan.requested_by, plan.reason)
