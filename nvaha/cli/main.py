"""The entry point: which commands there are, each loaded when it is needed.

Loading everything would take half a second before `nvaha --version` says a word, so a command's module is
imported when the command is.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command
from typer.rich_utils import rich_format_error

from nvaha import __version__
from nvaha.cli.asked import ASKED, document_asked, target_names
from nvaha.cli.failure import ExitCode, Failure, show
from nvaha.cli.streams import lost_output, settle, undisturbed
from nvaha.text import HIDDEN, has_secret, safe, shown

MODULES = {
    "status": "nvaha.cli.look",
    "plan": "nvaha.cli.look",
    "check": "nvaha.cli.check",
    "doctor": "nvaha.cli.doctor",
    "failover": "nvaha.cli.act",
    "scheduled": "nvaha.cli.check",
    "cancel": "nvaha.cli.orders",
    "pause": "nvaha.cli.orders",
    "resume": "nvaha.cli.orders",
    "history": "nvaha.cli.look",
    "targets": "nvaha.cli.targets",
    "break-glass": "nvaha.cli.break_glass",
    "notify": "nvaha.cli.notify",
    "state": "nvaha.cli.state",
    "init": "nvaha.cli.init",
    "validate": "nvaha.cli.offline",
    "import": "nvaha.cli.offline",
}
_LONGEST_OPTION = 20
LAB, LAB_MODULE = "lab", "nvaha.lab.commands"


class Commands(TyperGroup):
    """The commands by name, and the one place where a failure becomes text and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the names in the order of the help page."""
        return [*MODULES, LAB]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """Return a command, loaded now."""
        if cmd_name not in self.commands:
            if cmd_name in MODULES:
                loaded: Any = get_command(importlib.import_module(MODULES[cmd_name]).app)
                self.commands.update(loaded.commands)
            elif cmd_name == LAB:
                self.commands[LAB] = _lab()
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that was typed; a misspelt one is answered with the closest name."""
        if args and args[0] not in self.list_commands(ctx):
            for name in MODULES:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002 - typer's signature
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and leave; with --json whatever goes wrong is JSON too."""
        settle()
        given = sys.argv[1:] if args is None else list(args)
        as_json = document_asked(given)
        try:
            code = super().main(
                given,
                prog_name or "nvaha",
                complete_var,
                standalone_mode=False,  # what is wrong is told here, without a secret
                windows_expand_args=windows_expand_args,
                **extra,
            )
            if code == ExitCode.INTERRUPTED:  # before the command itself had begun
                raise _stopped("")  # noqa: TRY301 - told as any other
        except Failure as failure:
            code = failure.exit_code
            _unhurried(show, failure, as_json=as_json)
        except typer.TyperException as wrong:
            code = wrong.exit_code
            _unhurried(_show_usage, wrong, given, as_json=as_json)
        except Exception as error:  # noqa: BLE001 - the last resort: no traceback with a key in it
            code = ExitCode.NO_ANSWER
            _unhurried(show, _unexpected(error), as_json=as_json)
        lost = lost_output()
        if lost is not None:
            text = f"standard output could not be written: {lost}. The command itself ended with {code or 0}"
            _unhurried(show, Failure(ExitCode.NO_ANSWER, "output_lost", text), as_json=False)
            code = code or ExitCode.NO_ANSWER
        sys.exit(code if isinstance(code, int) else ExitCode.DONE)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C that it has no sentence of its own for ends it with this one."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _stopped(ctx.invoked_subcommand) from None


def _stopped(command: str | None) -> Failure:
    text = "stopped by Ctrl-C" if command == LAB else "stopped; nothing was changed"
    return Failure(ExitCode.INTERRUPTED, "interrupted", text)


def _unhurried(tell: Any, *what: Any, as_json: bool) -> None:
    undisturbed()
    tell(*what, as_json=as_json)


def _show_usage(wrong: typer.TyperException, given: Sequence[str], *, as_json: bool) -> None:
    if isinstance(wrong, typer.BadParameter):
        wrong.message = _of_number(wrong.__cause__) or wrong.message
    text = safe(wrong.format_message())
    for name, _, _ in (each.partition("=") for each in given if has_secret(each)):
        if len(name) > _LONGEST_OPTION:  # an option's name ends at its =, and a key that is cut there shows
            text = text.replace(name, HIDDEN)
    if as_json:
        show(Failure(ExitCode.USAGE, "usage", text), as_json=True)
        return
    wrong.format_message = lambda: text  # type: ignore[method-assign]
    rich_format_error(wrong)  # type: ignore[arg-type]


def _of_number(cause: object) -> str:
    """Return what is wrong with a number that was typed, in our words; empty if that is not what is wrong."""
    from pydantic import ValidationError  # noqa: PLC0415 - typer has loaded it where a number was wrong

    found = cause.errors(include_url=False)[0] if isinstance(cause, ValidationError) else None
    if found is None:
        return ""
    typed, bounds = shown(str(found["input"]), _LONGEST_OPTION), found.get("ctx", {})
    match found["type"]:
        case "less_than_equal":
            return f"{typed} is more than {bounds['le']}"
        case "greater_than_equal":
            return f"{typed} is less than {bounds['ge']}"
        case kind:
            return f"{typed} is not a whole number" if kind.startswith("int_") else ""


def _unexpected(error: Exception) -> Failure:
    for line in "".join(traceback.format_exception(error)).splitlines():
        typer.echo(safe(line), err=True)
    text = f"nvaha met what it did not expect: {type(error).__name__}: {error}"
    return Failure(ExitCode.NO_ANSWER, "unexpected", f"{text}. What was asked for may have been done")


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    # A traceback with local variables could show a key.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nvaha {__version__}")
        raise typer.Exit


@app.callback()
def nvaha(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            envvar="NVAHA_TARGET",
            metavar="NAME",
            help="The app by its name in your file of targets: see nvaha targets.",
            autocompletion=target_names,
            show_default=False,
        ),
    ] = None,
    _version_wanted: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    """High availability for Azure network virtual appliances: look, plan, act.

    The app's address and key come from NVAHA_URL and NVAHA_KEY, or by --target from a file.
    """
    source = context.get_parameter_source("target")
    ASKED.target, ASKED.explicit = target or None, source is not None and source.name == "COMMANDLINE"


def _lab() -> Any:
    """Return the lab's commands, or a stand-in that says what is missing."""
    try:
        return _named(get_command(importlib.import_module(LAB_MODULE).lab))
    except ModuleNotFoundError as missing:
        name = missing.name or ""
    if name.startswith("nvaha"):
        text = "this installation has no lab: it is left out of the deployed app"
        remedy = "in a checkout of the project: pip install --editable '.[lab]'"
    else:
        text, remedy = f"the lab needs the package {name}", "in the checkout: pip install --editable '.[lab]'"
    return _stand_in(text, remedy)


def _named(command: Any) -> Any:
    command.name = LAB
    return command


def _stand_in(text: str, remedy: str) -> Any:
    absent = typer.Typer()

    @absent.command(
        LAB,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        help="The embedded local Azure (not installed here).",
    )
    def lab() -> None:
        raise Failure(ExitCode.REFUSED, "no_lab", text, hints=[remedy])

    return get_command(absent)


def main() -> None:
    """Run the `nvaha` command."""
    app(prog_name="nvaha")
