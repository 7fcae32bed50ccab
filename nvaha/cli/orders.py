"""Orders that change nothing the second time: pause, resume, cancel."""

from __future__ import annotations

from typing import Annotated

import typer

from nvaha.cli.act import Known, tell_what_else
from nvaha.cli.address import address
from nvaha.cli.client import App, AppRefused
from nvaha.cli.failure import ExitCode, Failure
from nvaha.cli.no_answer import NoAnswer
from nvaha.cli.options import AsJson, GroupName, Key, Reason, Url
from nvaha.cli.replies import GroupReply

app = typer.Typer()


@app.command("pause")
def pause_group(
    group: GroupName,
    *,
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="DURATION",
            help="How long, 1m to 7d, such as 30m or 2h; without it, until somebody resumes it.",
            show_default=False,
        ),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Stop a group's automatic switches, for a while or until resumed.

    It is still probed and reported, and can still be moved with nvaha failover.
    """
    body: dict[str, object] = {"reason": reason}
    if for_ is not None:
        body["for"] = for_
    view = _set_paused("pause", group, body, as_json=as_json, url=url, key=key)
    if view is None:
        return
    until = f"{view.paused_until:%Y-%m-%d %H:%M:%S} UTC" if view.paused_until else None
    ends = f"{until}, or until: nvaha resume {view.name}" if until else f"nvaha resume {view.name}"
    typer.echo(f"{view.name} is paused: it is not switched by itself until{'' if until else ':'} {ends}")
    if for_ is not None and until is None:
        typer.echo("It had been paused without an end before, which a second pause does not shorten.")
    tell_what_else(view, besides="paused")


@app.command("resume")
def resume_group(
    group: GroupName, reason: Reason = "", as_json: AsJson = False, url: Url = None, key: Key = None
) -> None:
    """Allow a group's automatic switches again.

    If its active NVA is down, it is switched as soon as nothing else holds that back: the answer says when.
    """
    view = _set_paused("resume", group, {"reason": reason}, as_json=as_json, url=url, key=key)
    if view is not None and view.automatic:
        typer.echo(f"{view.name} is not paused any more: it is switched by itself when its active NVA fails")
    elif view is not None:
        typer.echo(f"{view.name} is not paused any more; but automatic switches are off (policy.automatic)")
    if view is not None:
        tell_what_else(view)


@app.command()
def cancel(
    group: GroupName, reason: Reason = "", as_json: AsJson = False, url: Url = None, key: Key = None
) -> None:
    """Cancel a scheduled failover.

    One that has been begun is not stopped by it: then nothing is scheduled any more, and this says so.
    """
    what = f"Whether the failover of {group} is cancelled"
    view = _order("cancel", group, {"reason": reason}, what, (url, key), as_json=as_json)
    if view is not None:
        typer.echo(f"Nothing is scheduled for {view.name} any more")


def _set_paused(
    call: str, group: str, body: dict[str, object], *, as_json: bool, url: str | None, key: str | None
) -> GroupReply | None:
    """Pause or resume; return the group unless it was printed."""
    still = "" if call == "pause" else "still "
    what = f"Whether {group} is {still}paused"
    return _order(call, group, body, what, (url, key), as_json=as_json)


def _order(
    call: str,
    group: str,
    body: dict[str, object],
    what: str,
    where: tuple[str | None, str | None],
    *,
    as_json: bool,
) -> GroupReply | None:
    """Give an order until it is answered; return the group unless it was printed."""
    known = Known()

    def unknown(code: ExitCode, why: str) -> Failure:
        text = f"{why}. {what} is not known"
        hints = [f"nvaha status {group}", f"nvaha {call} {group}   (harmless if it was done)"]
        return Failure(code, "outcome_unknown", text, hints=hints)

    lost: list[str] = []

    def tell(text: str) -> None:
        lost.append(text)
        typer.echo(text, err=True)

    with known.told(), App(address(*where)) as there:
        known.failure = unknown(ExitCode.INTERRUPTED, "stopped while asking")
        try:
            answer = there.post_surely(GroupReply, "groups", group, call, body=body, tell=tell)
        except NoAnswer as failure:
            if not failure.maybe_done:
                raise
            raise unknown(ExitCode.NO_ANSWER, failure.message) from None
        except AppRefused as refused:
            if refused.code != "not_scheduled":
                raise
            earlier = "   (an earlier try got no reply: it may have been that one)" if lost else ""
            hints = [f"nvaha status {group}{earlier}"]
            raise Failure(refused.exit_code, refused.code, refused.message, hints=hints) from None
    done = answer.view.scheduled is None if call == "cancel" else answer.view.paused is (call == "pause")
    if not done:
        text = f"{group} was asked to {call}, and by the app's answer it did not"
        raise Failure(ExitCode.REFUSED, "not_followed", text, hints=[f"nvaha status {group}"])
    if as_json:
        typer.echo(answer.text)
        return None
    return answer.view
