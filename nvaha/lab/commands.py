"""`nvaha lab`: the commands; each imports the lab's parts when it runs, so that others start fast."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

lab = typer.Typer(
    name="lab",
    help="The embedded local Azure: see a failover, play with one, run the app locally.",
    no_args_is_help=True,
    add_completion=False,
)
_EXTRA = ("cryptography", "aiohttp", "azure.functions")
_INTERRUPTED = 130


class Profile(StrEnum):
    """The names of nvaha.lab.stage.profiles, which is not imported only to show them."""

    FAST = "fast"
    TYPICAL = "typical"
    SLOW = "slow"


@lab.command()
def demo(
    *,
    profile: Annotated[Profile, typer.Option(help="How long the simulated Azure takes.")] = Profile.TYPICAL,
    back: Annotated[
        bool | None,
        typer.Option(help="Kill the second NVA as well; by default unless the profile is slow, or --json."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures and nothing else.")] = False,
    port: Annotated[int, typer.Option(help="The function app's; 0 for a free one.")] = 0,
) -> None:
    """Kill the active NVA of a small Azure on this machine, and see traffic come back."""
    _require_extra()
    from nvaha.lab.demo import run  # noqa: PLC0415 - see the module's docstring

    moves_back = (profile is not Profile.SLOW and not as_json) if back is None else back
    _run(run(profile=profile, back=moves_back, as_json=as_json, port=port))


@lab.command()
def up(
    *,
    profile: Annotated[Profile, typer.Option(help="How long the simulated Azure takes.")] = Profile.TYPICAL,
    hosts: Annotated[int, typer.Option(min=1, max=5, help="How many monitors.")] = 1,
    port: Annotated[int, typer.Option(help="The first monitor's; 0 for a free one.")] = 7071,
    key: Annotated[
        str | None, typer.Option(help="The function key to ask for; none is asked for without.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            readable=True,
            metavar="FILE",
            help="Your own configuration: the Azure is what it names, and nothing leaves this machine.",
        ),
    ] = None,
) -> None:
    """Keep a small Azure with the app running, to play with."""
    _require_extra()
    from nvaha.lab.up import run  # noqa: PLC0415 - see the module's docstring

    _run(run(profile=profile, hosts=hosts, port=port, key=key, file=config))


@lab.command()
def drill(
    name: Annotated[
        str,
        typer.Argument(
            help="One of them, a section of the runbook, runbook, or all; listed without.", show_default=False
        ),
    ] = "",
    *,
    profile: Annotated[Profile, typer.Option(help="How long the simulated Azure takes.")] = Profile.TYPICAL,
    record: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="A page that the records are written into, between its markers, or a folder of such pages.",
        ),
    ] = None,
    at_once: Annotated[
        int, typer.Option(min=1, max=5, help="How many labs run at a time, if it is several drills.")
    ] = 2,
) -> None:
    """Go through what production brings: what is done, what one sees, and whether it ends as it should."""
    _require_extra()
    from nvaha.lab.rehearsals import command  # noqa: PLC0415 - see the module's docstring

    _run(command(name, profile=profile, page=record, at_once=at_once))


@lab.command()
def host(
    *,
    port: Annotated[int, typer.Option(help="For HTTP; 0 for a free one.")] = 7071,
    key: Annotated[
        str | None, typer.Option(help="The function key to ask for; none is asked for without.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where host.json and function_app.py are.")] = Path(),
    singleton: Annotated[
        bool, typer.Option(help="Share the timer lock with other hosts of the same host id.")
    ] = True,
    local_settings: Annotated[bool, typer.Option(help="Read local.settings.json.")] = True,
    json_ready: Annotated[bool, typer.Option(help="Print one JSON line once it listens.")] = False,
    verbose: Annotated[bool, typer.Option(help="Log each invocation.")] = False,
) -> None:
    """Run the app on the settings in the environment and local.settings.json, as the Functions host does."""
    from nvaha.lab.host.host import HostOptions, run  # noqa: PLC0415 - see the module's docstring

    run(
        HostOptions(
            folder=folder,
            port=port,
            key=key,
            local_settings=local_settings,
            singleton=singleton,
            json_ready=json_ready,
            verbose=verbose,
        )
    )


def _require_extra() -> None:
    missing = [each for each in _EXTRA if importlib.util.find_spec(each) is None]
    if missing:
        text = f"The lab needs more than the app does ({', '.join(missing)})"
        typer.echo(f"{text}: in the checkout, pip install --editable '.[lab]'", err=True)
        raise typer.Exit(1)


def _run(work: Coroutine[Any, Any, int]) -> None:
    """Run to the end or to an interrupt, after which everything that was started is stopped."""

    async def interruptible() -> int:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return _INTERRUPTED
        except Exception:
            # Ctrl-C reaches what was started as well: that it is gone is no failure then.
            if task.cancelling():
                return _INTERRUPTED
            raise

    try:
        code = asyncio.run(interruptible())
    except KeyboardInterrupt:
        code = _INTERRUPTED
    raise typer.Exit(code)
