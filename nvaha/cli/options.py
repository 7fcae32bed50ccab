"""The options that several commands share, said once."""

from __future__ import annotations

from typing import Annotated

import typer

_PANEL = "Where the app is"

GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name.", show_default=False)]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="NVAHA_URL",
        metavar="URL",
        help="The app's address, https://…",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="NVAHA_KEY",
        metavar="KEY",
        help="A function key. The variable is better: other users see a command line.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the history.")]
