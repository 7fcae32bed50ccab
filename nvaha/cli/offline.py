"""What needs no app: checking a configuration, and taking over ha-nva's."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from nvaha.cli.failure import ExitCode, Failure
from nvaha.cli.fold import say
from nvaha.cli.options import AsJson
from nvaha.cli.words import counted
from nvaha.config import ConfigError, Loaded, Problem, describe, load
from nvaha.config.native import to_native
from nvaha.text import safe

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", exists=True, dir_okay=False, readable=True, help="YAML or JSON.", show_default=False
    ),
]

app = typer.Typer()


@app.command()
def validate(
    file: File,
    online: Annotated[
        bool,
        typer.Option(
            "--online", help="Also read every resource from Azure, with this machine's credentials."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a configuration file, --online against Azure too."""
    loaded = load_file(file, as_json=as_json)
    groups = loaded.configuration.groups
    document: dict[str, Any] = {
        "file": safe(str(file)),
        "valid": True,
        "groups": [{"name": group.name, "nvas": list(group.names)} for group in groups],
        "warnings": [asdict(each) for each in loaded.warnings],
    }
    if not as_json:
        _warn(loaded.warnings)
        nvas = counted(sum(len(group.nvas) for group in groups), "NVA")
        names = ", ".join(group.name for group in groups)
        canary = ", and a canary" if loaded.configuration.canary else ""
        say(f"{safe(str(file))} is valid: {counted(len(groups), 'group')} ({names}), {nvas}{canary}")
    if not online:
        if as_json:
            typer.echo(json.dumps(document, indent=2))
        return
    from nvaha.cli import online as azure  # noqa: PLC0415 - Azure's libraries, which only this option needs

    reports = azure.read(loaded.configuration)
    if as_json:
        typer.echo(json.dumps({**document, "online": [each.document() for each in reports]}, indent=2))
    else:
        azure.show(reports)
    code = azure.exit_code(reports)
    if code is not ExitCode.DONE:
        raise typer.Exit(code)


@app.command("import")
def import_file(
    file: File,
    observe: Annotated[
        bool,
        typer.Option(
            "--observe", help="For running beside what acts now: look and tell, and move nothing by itself."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print ha-nva's own JSON as nvaha's YAML.

    The YAML goes to stdout; warnings about what has another place now go to stderr.
    """
    loaded = load_file(file, as_json=as_json)
    text = to_native(loaded.configuration, observe=observe)
    if as_json:
        typer.echo(
            json.dumps({"yaml": text, "warnings": [asdict(each) for each in loaded.warnings]}, indent=2)
        )
        return
    _warn(loaded.warnings)
    typer.echo(text, nl=False)


def load_file(file: Path, *, as_json: bool) -> Loaded:
    """Return a configuration that can be used; Failure with all that is wrong with it."""
    try:
        return load(str(file.absolute()), Path())
    except ConfigError as error:
        if not as_json:
            _warn(error.warnings)
        details = [asdict(each) for each in error.problems] if as_json else []
        raise Failure(
            ExitCode.REFUSED, "invalid_configuration", str(error).rstrip(), details=details
        ) from None


def _warn(warnings: tuple[Problem, ...]) -> None:
    if warnings:
        say(f"{counted(len(warnings), 'warning')}\n\n{describe(warnings)}", err=True)
