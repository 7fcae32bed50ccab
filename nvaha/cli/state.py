"""The state of all groups, taken out of one storage account and into another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from nvaha.cli.address import address
from nvaha.cli.client import App, AppRefused
from nvaha.cli.failure import ExitCode, Failure
from nvaha.cli.options import Key, Url
from nvaha.cli.replies import AdoptedReply, ExportReply
from nvaha.text import safe

_KNOWN_SCHEMA = 1

app = typer.Typer()
state = typer.Typer(no_args_is_help=True, help="Export the state of all groups; adopt it elsewhere.")
app.add_typer(state, name="state")
ExportFile = Annotated[Path, typer.Argument(metavar="FILE", help="- is standard output.", show_default=False)]
AdoptFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, show_default=False),
]


@app.callback()
def _among_others() -> None:
    """Typer would take a single command for the program itself."""


@state.command("export")
def export(file: ExportFile, url: Url = None, key: Key = None) -> None:
    """Write the state of every group to a file.

    It needs the app's master key: it is no operator's business.
    """
    with App(address(url, key)) as there:
        answer = there.get(ExportReply, "state")
    if str(file) == "-":
        typer.echo(answer.text)
    else:
        try:
            file.write_text(answer.text + "\n", encoding="utf-8")
        except OSError as error:
            text = f"{safe(str(file))} cannot be written: {error.strerror or error}"
            raise Failure(ExitCode.REFUSED, "unwritable", text) from None
    if answer.view.unreadable:
        details = [{"path": name, "message": why} for name, why in answer.view.unreadable.items()]
        text = "rows that cannot be read are not in the export"
        raise Failure(ExitCode.REFUSED, "incomplete", text, details=details)


@state.command("adopt")
def adopt(file: AdoptFile, url: Url = None, key: Key = None) -> None:
    """Begin in a new storage account with what was exported from another.

    Pauses, guards and addresses are taken over; who is active, the next look says. A group that the account
    has a newer state of is left as it is. It needs the app's master key.
    """
    exported = _read(file)
    refused: list[dict[str, str]] = []
    with App(address(url, key)) as there:
        for name, document in exported.groups.items():
            body = {"epoch": exported.epoch, "state": document}
            try:
                adopted = there.post_surely(
                    AdoptedReply, "state", name, body=body, tell=lambda text: typer.echo(text, err=True)
                ).view
            except AppRefused as refusal:
                refused.append({"path": safe(name), "message": refusal.message})
                continue
            paused = ", paused" if adopted.paused else ""
            typer.echo(f"{adopted.group}: taken over, last on {adopted.active or 'no NVA'}{paused}")
    if refused:
        text = f"not taken over: {', '.join(each['path'] for each in refused)}"
        raise Failure(ExitCode.REFUSED, "not_all_adopted", text, details=refused)


def _read(file: Path) -> ExportReply:
    try:
        exported = ExportReply.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        first = error.errors(include_input=False)[0]["msg"] if isinstance(error, ValidationError) else error
        text = f"{safe(str(file))} is no export: {safe(str(first))}"
        raise Failure(ExitCode.REFUSED, "no_export", text) from None
    if exported.schema_ > _KNOWN_SCHEMA:
        text = f"{safe(str(file))} was exported by a newer release (schema {exported.schema_}); update nvaha"
        raise Failure(ExitCode.REFUSED, "no_export", text)
    return exported
