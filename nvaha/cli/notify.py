"""Receivers: whether what they are sent arrives."""

from __future__ import annotations

from typing import Annotated

import typer

from nvaha.cli.address import address
from nvaha.cli.client import App
from nvaha.cli.failure import ExitCode, Failure
from nvaha.cli.options import AsJson, Key, Url
from nvaha.cli.replies import NotifyTestReply

app = typer.Typer()
notify = typer.Typer(no_args_is_help=True, help="Send a test to the receivers of the configuration.")
app.add_typer(notify, name="notify")
ReceiverName = Annotated[
    str | None, typer.Argument(metavar="[RECEIVER]", help="Its name; without one, all.", show_default=False)
]


@app.callback()
def _among_others() -> None:
    """Typer would take a single command for the program itself."""


@notify.callback()
def _alone() -> None:
    """The same of `test`."""


@notify.command("test")
def send_test(
    receiver: ReceiverName = None, *, as_json: AsJson = False, url: Url = None, key: Key = None
) -> None:
    """Send a test, once, and show what each receiver answers."""
    body = {} if receiver is None else {"receiver": receiver}
    with App(address(url, key)) as there:
        answer = there.post(NotifyTestReply, "notify", "test", body=body)
    tried = answer.view.receivers
    missing = [each.name for each in tried if not each.taken]
    if as_json:
        typer.echo(answer.text)
        raise typer.Exit(ExitCode.DONE if tried and not missing else ExitCode.REFUSED)
    for each in tried:
        said = f"taken with status {each.status}" if each.taken else f"not taken: {each.error}"
        typer.echo(f"{each.name} ({each.type}): {said}, after {each.seconds:.1f} s")
    if not tried:
        text = "no receiver is configured: name one under notify in the configuration"
        raise Failure(ExitCode.REFUSED, "no_receivers", text)
    if missing:
        raise Failure(ExitCode.REFUSED, "not_taken", f"not taken by {', '.join(missing)}")
