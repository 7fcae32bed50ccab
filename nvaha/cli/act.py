"""Acting: failover, now or at a time to come."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from nvaha.cli import render
from nvaha.cli.address import address
from nvaha.cli.client import Answer, App, AppRefused, R, pause
from nvaha.cli.failure import ExitCode, Failure, usage
from nvaha.cli.look import where_to
from nvaha.cli.no_answer import NoAnswer
from nvaha.cli.options import AsJson, GroupName, Key, Reason, Url
from nvaha.cli.replies import GroupReply, OperationReply
from nvaha.cli.streams import nobody_reads
from nvaha.cli.wish import Wish, agreed, chosen, time_of
from nvaha.cli.words import duration

POLL_S = 0.5
LIMIT_S = 660
"""A minute more than an operation lasts at most, unless policy.deadline is set otherwise."""

app = typer.Typer()


def _nothing_yet() -> Failure:
    return Failure(ExitCode.INTERRUPTED, "interrupted", "stopped; nothing was asked for, nothing was changed")


@dataclass(slots=True)
class Known:
    """What is known of the outcome at every moment, for whoever presses Ctrl-C then."""

    failure: Failure = field(default_factory=_nothing_yet)

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Let Ctrl-C end the command with what is known."""
        try:
            yield
        except KeyboardInterrupt:
            raise self.failure from None


@app.callback()
def _among_others() -> None:
    """Typer would take a single command for the program itself."""


@app.command()
def failover(
    group: GroupName,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="NVA",
            help="The NVA to move to; on a terminal it is asked for if it is left out.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="NVA", help="Only if this NVA is the active one.", show_default=False),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Not now but then, such as 2026-12-01T02:00:00Z or …+01:00; 30 days ahead at most.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Move there although it is not up, or its health is not known; "
            "marks of another deployment are taken over.",
        ),
    ] = False,
    reason: Reason = "",
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            help="Follow it until it has ended. Default: on a terminal, without --json.",
            show_default=False,
        ),
    ] = None,
    limit_s: Annotated[
        int, typer.Option("--timeout", metavar="SECONDS", min=1, max=86400, help="How long to wait.")
    ] = LIMIT_S,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not show the plan and ask; just do it.")
    ] = False,
    request_id: Annotated[
        str | None,
        typer.Option(
            "--request-id",
            metavar="ID",
            help="Repeat an earlier request: the same id never starts a second failover.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Move a group to another NVA.

    On a terminal: show where the group stands and what would change, ask, do it, and follow it to its end.
    """
    person = on_terminal() and not as_json
    known = Known()
    then = None if at is None else time_of(at)
    if then is not None and (force or wait):
        raise usage("with --at there is nothing to wait for yet, and what is scheduled is never forced")
    with known.told(), App(address(url, key)) as there:
        if to is None:
            if yes or not person:
                raise where_to(there, "failover", group)
            to = chosen(there, group)
        if not yes and not person:
            raise usage("nobody can be asked here: look at nvaha plan first, then give --yes")
        wish = Wish(group, to, force, reason, request_id, source, then)
        if not yes and not agreed(there, wish):
            typer.echo("Nothing was asked for, nothing was changed.")
            raise typer.Exit(ExitCode.REFUSED)
        if then is not None:
            _tell_the_schedule(_ask_for(GroupReply, there, wish, known), as_json=as_json)
            return
        accepted = _started(_ask_for(OperationReply, there, wish, known), wish)
        known.failure = _left(accepted.view)
        waits = person if wait is None else wait
        if not waits and not accepted.view.ended:  # a repeated request may find its operation at its end
            if as_json:
                typer.echo(accepted.text)
            else:
                render.console().print(render.operation(accepted.view, accepted.now))
                typer.echo(f"\nIt goes on by itself. See how it ends: nvaha status {group}")
            _tell_the_unseen(accepted.view)
            return
        ended = _follow(there, accepted, limit_s, quiet=as_json)
        known.failure = _left(ended.view)
        _tell_the_end(ended, as_json=as_json)
        if not as_json:
            _tell_how_it_stands(there, ended.view)
        _tell_the_unseen(ended.view)


def on_terminal() -> bool:
    """Tell whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ask_for(kind: type[R], there: App, wish: Wish, known: Known) -> Answer[R]:
    """Ask for the failover under one request id, however often it takes."""
    request_id = wish.request_id or f"cli-{uuid4()}"
    body: dict[str, object] = {"to": wish.to, "request_id": request_id}
    if wish.force:
        body["force"] = True
    if wish.reason:
        body["reason"] = wish.reason
    if wish.source:
        body["from"] = wish.source
    if wish.at is not None:
        body["at"] = wish.at.isoformat()
    lost: list[str] = []
    known.failure = _unknown(wish, request_id, ExitCode.INTERRUPTED, "stopped while asking")

    def tell(text: str) -> None:
        lost.append(text)
        typer.echo(text, err=True)

    try:
        return there.post_surely(kind, "groups", wish.group, "failover", body=body, tell=tell, wait=pause)
    except AppRefused as refused:
        hints = ["nvaha status" if refused.code == "unknown_group" else f"nvaha status {wish.group}"]
        if lost:
            hints[0] += "   (an earlier try got no reply: see whether a switch is under way)"
        raise Failure(
            refused.exit_code, refused.code, refused.message, details=refused.details, hints=hints
        ) from None
    except NoAnswer as failure:
        if not failure.maybe_done:
            raise
        raise _unknown(wish, request_id, ExitCode.NO_ANSWER, failure.message) from None


def _started(answer: Answer[OperationReply], wish: Wish) -> Answer[OperationReply]:
    """Return what was accepted, if it is what was asked for."""
    earlier = answer.view
    if (earlier.group, earlier.to) != (wish.group, wish.to):
        text = f"request id {wish.request_id} was used before, for {earlier.group} to {earlier.to}"
        raise Failure(ExitCode.REFUSED, "request_id_used", f"{text} ({earlier.id}); nothing new was started")
    return answer


def _tell_the_schedule(answer: Answer[GroupReply], *, as_json: bool) -> None:
    view = answer.view
    if view.scheduled is None:
        text = f"{view.name} has no failover scheduled, by the app's answer"
        raise Failure(ExitCode.REFUSED, "not_followed", text, hints=[f"nvaha status {view.name}"])
    if as_json:
        typer.echo(answer.text)
        return
    typer.echo(f"{view.name}: {render.scheduled_for(view.scheduled)}")
    typer.echo(f"Cancel: nvaha cancel {view.name}")


def _unknown(wish: Wish, request_id: str, code: ExitCode, why: str) -> Failure:
    again = f"nvaha failover {wish.group} --to {wish.to}{' --force' if wish.force else ''}"
    again += f" --from {wish.source}" if wish.source else ""
    again += f" --at {wish.at.isoformat()}" if wish.at else ""
    return Failure(
        code,
        "outcome_unknown",
        f"{why}. Whether the failover was {'scheduled' if wish.at else 'started'} is not known",
        hints=[
            f"nvaha status {wish.group}",
            f"{again} --request-id {request_id}   (harmless if it was)",
        ],
    )


def _follow(
    there: App,
    accepted: Answer[OperationReply],
    limit_s: float,
    *,
    quiet: bool,
    monotonic: Callable[[], float] = time.monotonic,
) -> Answer[OperationReply]:
    """Look at an operation until it has ended, and draw it meanwhile."""
    until = monotonic() + limit_s
    answer, trouble = accepted, ""
    drawing = None if quiet else Live(console=render.console(), auto_refresh=False)
    with drawing or contextlib.nullcontext() as live:
        while True:
            if live is not None:
                live.update(_picture(answer, trouble), refresh=True)
            if answer.view.ended:
                return answer
            if monotonic() >= until:
                raise _still_open(answer.view, limit_s, trouble)
            try:
                pause(min(POLL_S, max(until - monotonic(), 0.0)))
                answer, trouble = there.get(OperationReply, "operations", accepted.view.id), ""
            except (NoAnswer, AppRefused) as failure:
                # A record that is not there yet, an app that restarts: the limit bounds our patience.
                trouble = failure.message


def _picture(answer: Answer[OperationReply], trouble: str) -> RenderableType:
    picture = render.operation(answer.view, answer.now)
    if not trouble:
        return picture
    return Stack(picture, render.sentence(f"No news: {trouble}. Still asking.", "bold red"))


def _still_open(view: OperationReply, limit_s: float, trouble: str) -> Failure:
    text = f"waited {duration(limit_s)} for {view.id}, which was last seen as {view.status}"
    if trouble:
        text += f" ({trouble})"
    return Failure(
        ExitCode.STILL_OPEN,
        "waited_too_long",
        f"{text}. It goes on by itself; how it ends is not known here",
        hints=[f"nvaha status {view.group}"],
    )


def _left(view: OperationReply) -> Failure:
    text = f"stopped. {view.id} has ended as {view.status}"
    if not view.ended:
        text = f"no longer followed. {view.id} goes on by itself: Ctrl-C does not stop a switch"
    return Failure(ExitCode.INTERRUPTED, "interrupted", text, hints=[f"nvaha status {view.group}"])


def _tell_the_unseen(view: OperationReply) -> None:
    """Say on standard error what standard output has lost: something was begun."""
    if nobody_reads():
        text = f"nobody reads standard output; {view.id} was last seen as {view.status}"
        typer.echo(f"{text}: nvaha status {view.group}", err=True)


def _tell_the_end(ended: Answer[OperationReply], *, as_json: bool) -> None:
    view = ended.view
    if as_json:
        typer.echo(ended.text)
        if view.status != "done":
            raise typer.Exit(ExitCode.REFUSED)
        return
    if view.status == "done":
        took = f" after {duration(view.seconds)}" if view.seconds is not None else ""
        there = not view.steps and view.source == view.to
        where = f"is on {view.to}" if not there else f"was on {view.to} already: nothing had to be changed"
        render.console().print(Text(f"\nDone: {view.group} {where}{took}.", style="bold green"))
        typer.echo(f"Verify: nvaha status {view.group}")
        if view.source and view.source != view.to:
            typer.echo(f"Undo:   nvaha failover {view.group} --to {view.source}")
        return
    begun = any(step.status == "done" for step in view.steps)
    moved = "is only partly on" if begun else "was not moved to"
    text = f"{view.group} {moved} {view.to}: the operation {view.status}"
    if view.status == "superseded":
        text = f"{view.group} was not moved to {view.to}: another switch took the place of this one"
    raise Failure(
        ExitCode.REFUSED,
        f"operation_{view.status}",
        f"{text}: {view.error}" if view.error else text,
        details=[{"path": "unfinished", "message": each} for each in view.unfinished],
        hints=[f"nvaha status {view.group}", f"nvaha plan {view.group} --to {view.to}"],
    )


def _tell_how_it_stands(there: App, view: OperationReply) -> None:
    """Say what is wrong with a group that was moved: that it is there does not say that it works there."""
    with contextlib.suppress(NoAnswer, AppRefused):
        tell_what_else(there.get(GroupReply, "groups", view.group).view, besides="guarded")


def tell_what_else(view: GroupReply, besides: str = "") -> None:
    """Say what is not plain good of a group: what was just done may not be all that it needs."""
    left = [each for each in view.advice or () if each.code != besides]
    if left:
        render.console().print(render.advice(view.name, left))
