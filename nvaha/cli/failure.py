"""How a command ends when it is not done: an exit code that is true, and a sentence that helps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import IntEnum

import typer

from nvaha.cli.fold import for_stream, say
from nvaha.text import in_texts, safe

Details = Sequence[dict[str, str]]


class ExitCode(IntEnum):
    """What a script may rely on; docs/cli.md explains each."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NO_ANSWER = 3
    STILL_OPEN = 4
    INTERRUPTED = 130


class Failure(Exception):
    """A command did not do what was asked.

    Args:
        exit_code: what the process ends with.
        code: a short name for programs.
        message: the sentence for a person; the app's own sentences go here unchanged.
        details: what is wrong where, if several things are.
        hints: what to type next.
    """

    def __init__(
        self,
        exit_code: ExitCode,
        code: str,
        message: str,
        *,
        details: Details = (),
        hints: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.code = code
        # A configuration's problems are a text of many lines, each of which was made safe by itself.
        self.message = "\n".join(map(safe, message.split("\n")))
        self.details = tuple(in_texts(details, safe))
        self.hints = tuple(map(safe, hints))


def usage(message: str, *, hints: Sequence[str] = ()) -> Failure:
    """Return the failure of a command that was not typed as it can be followed."""
    return Failure(ExitCode.USAGE, "usage", message, hints=hints)


def show(failure: Failure, *, as_json: bool) -> None:
    """Print a failure: for a person on stderr, for a program as the one JSON document on stdout."""
    if as_json:
        error: dict[str, object] = {
            "code": failure.code,
            "message": failure.message,
            "details": list(failure.details),
        }
        if failure.hints:
            error["hints"] = list(failure.hints)
        typer.echo(json.dumps({"error": error}, indent=2))
        return
    start = "Error: "
    text = for_stream(start + failure.message, err=True).removeprefix(start)
    typer.echo(typer.style(start, fg="red", bold=True) + text, err=True)
    for detail in failure.details:
        say("  " + ": ".join(part for part in detail.values() if part), err=True)
    for hint in failure.hints:  # commands to copy, so never folded
        typer.echo(typer.style("Next:  ", bold=True) + hint, err=True)
