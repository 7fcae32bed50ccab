"""What a command that looks prints: for a person, or one of three forms for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated

import typer
import yaml
from rich.console import RenderableType

from nvaha.cli import render
from nvaha.cli.failure import usage

Row = Iterable[object]


class Output(StrEnum):
    """The forms."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    TSV = "tsv"


OutputForm = Annotated[
    Output | None,
    typer.Option(
        "--output",
        help="How to print it: table, for a person, is the default; --json is json.",
        show_default=False,
        case_sensitive=False,
    ),
]


def form(output: Output | None, *, as_json: bool) -> Output:
    """Return the form that is asked for."""
    if as_json and output not in {None, Output.JSON}:
        raise usage(f"--json and --output {output} contradict each other: give one of them")
    return Output.JSON if as_json else output or Output.TABLE


def show(
    how: Output,
    text: str,
    picture: Callable[[], RenderableType],
    rows: Callable[[], Iterable[Row]],
) -> None:
    """Print what the app said.

    Args:
        how: in which form.
        text: all of it as JSON.
        picture: makes what a person sees.
        rows: makes the lines of `tsv`; without a head, as `az` prints them.
    """
    match how:
        case Output.JSON:
            typer.echo(text)
        case Output.YAML:
            typer.echo(yaml.safe_dump(json.loads(text), sort_keys=False), nl=False)
        case Output.TSV:
            for row in rows():
                typer.echo("\t".join(map(_cell, row)))
        case Output.TABLE:
            render.console().print(picture())


def _cell(value: object) -> str:
    """Return a value as one cell: no tab and no line end is left in it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else " ".join(str(value).split())
