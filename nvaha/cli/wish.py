"""What a person at a terminal wishes: typed, chosen, shown and agreed to, before anything is asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import typer
from rich.text import Text

from nvaha.cli import render
from nvaha.cli.asked import ASKED
from nvaha.cli.client import App
from nvaha.cli.failure import ExitCode, Failure, usage
from nvaha.cli.look import nowhere
from nvaha.cli.no_answer import NoAnswer
from nvaha.cli.replies import GroupReply, PlanReply
from nvaha.text import safe


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator typed."""

    group: str
    to: str
    force: bool
    reason: str
    request_id: str | None
    source: str | None = None
    at: datetime | None = None

    @property
    def question(self) -> str:
        """What a person is asked."""
        then = "now" if self.at is None else f"at {self.at:%Y-%m-%d %H:%M:%S} UTC"
        return f"Move {self.group} to {self.to} {then}?"


def time_of(text: str) -> datetime:
    """Return the time that was typed; without its zone nobody knows which it is."""
    remedy = "write 2026-12-01T02:00:00Z for UTC, or its offset, such as 2026-12-01T02:00:00+01:00"
    try:
        time_then = datetime.fromisoformat(text)
    except ValueError:
        raise usage(f"--at {safe(text)} is no time: {remedy}") from None
    if time_then.tzinfo is None:
        raise usage(f"--at {safe(text)} has no zone: {remedy}")
    try:
        return time_then.astimezone(UTC)
    except OverflowError:
        raise usage(f"--at {safe(text)} is no time that anything could be done at") from None


def chosen(there: App, group: str) -> str:
    """Let a person choose where to, among the NVAs that are up."""
    answer = there.get(GroupReply, "groups", group)
    up = [nva.name for nva in answer.view.nvas if nva.health == "up" and nva.name != answer.view.active]
    if not up:
        raise nowhere(answer.view, "failover")
    console = render.console()
    console.print(render.groups_table([answer.view], answer.now))
    console.print()
    for number, name in enumerate(up, start=1):
        console.print(Text.assemble((f"  {number}", "bold"), f"  {name}"))
    typed = reply_to(f"Move {group} to which? [1{f'-{len(up)}' if len(up) > 1 else ''}, or Enter for none]: ")
    if typed.isascii() and typed.isdigit() and len(typed) < 4 and 1 <= int(typed) <= len(up):
        return up[int(typed) - 1]
    if (named := next((name for name in up if name.casefold() == typed.casefold()), None)) is not None:
        return named
    typer.echo("None was chosen: nothing was asked for, nothing was changed.")
    raise typer.Exit(ExitCode.REFUSED)


def agreed(there: App, wish: Wish) -> bool:
    """Show where the group stands and what would change, and ask."""
    console = render.console()
    answer = there.get(GroupReply, "groups", wish.group)
    console.print(render.groups_table([answer.view], answer.now))
    console.print()
    try:
        plan = there.get(PlanReply, "groups", wish.group, "plan", to=wish.to).view
    except NoAnswer as failure:
        # Azure's reading side may be what is broken tonight; that must not stand in the operator's way.
        console.print(render.sentence(f"The plan cannot be shown: {failure.message}", "bold red"))
        console.print(render.sentence("The failover can be asked for all the same."))
    else:
        console.print(render.plan(plan))
        if plan.forbids and not wish.force and wish.request_id is None and wish.at is None:
            raise Failure(ExitCode.REFUSED, "forbidden", plan.forbids)
    if wish.force:
        console.print(Text(_warning(wish, answer.view), style="bold yellow"))
    console.print()
    if (target := ASKED.target) is not None:
        console.print(Text(f"Target {safe(target)}: {there.where.base.removesuffix('/api')}", style="bold"))
    return reply_to(f"{wish.question} [y/N]: ").casefold() in {"y", "yes"}


def reply_to(question: str) -> str:
    """Ask; the end of input, and input that cannot be read, are an empty answer."""
    typer.echo(question, nl=False)
    try:
        answer = sys.stdin.readline()
    except (OSError, ValueError):
        answer = ""
    if not answer:
        typer.echo()
    return answer.strip()


def _warning(wish: Wish, view: GroupReply) -> str:
    """Return what --force may lead to, so that nobody is surprised by it a minute later."""
    if any(nva.name == wish.to and nva.health == "up" for nva in view.nvas):
        return f"\n--force: nobody checks once more that {wish.to} is up."
    text = f"\n--force: {wish.to} is not known to be up; if it is not, traffic stops there."
    if view.automatic and not view.paused:
        text += f" While its probe fails, nvaha moves on after hold-down unless: nvaha pause {view.name}"
    return text
