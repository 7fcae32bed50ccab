"""`nvaha init`: the first configuration, proposed from what Azure has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from nvaha.cli import render
from nvaha.cli.act import on_terminal
from nvaha.cli.failure import ExitCode, Failure, usage
from nvaha.cli.fold import say
from nvaha.cli.options import AsJson
from nvaha.cli.wish import reply_to
from nvaha.cli.words import counted
from nvaha.config import ConfigError, Loaded, parse
from nvaha.config.forms import GroupForm
from nvaha.config.problems import Findings
from nvaha.config.proposal.members import UnclearError, Wanted, members, named_in, to_type
from nvaha.config.proposal.nvas import Item
from nvaha.config.proposal.propose import USUAL_PORT, NothingFollowsError, Proposal, propose
from nvaha.config.proposal.seen import Machine, Seen
from nvaha.config.proposal.text import text_of
from nvaha.config.reading import read as read_form
from nvaha.model import Resource
from nvaha.ports import NetworkError, NetworkFault
from nvaha.text import in_texts, last_part, safe

_NAMES = "NAME|GROUP/NAME|ID"
Many = list[str] | None

app = typer.Typer()


@app.callback()
def _among_others() -> None:
    """Typer would take a single command for the program itself."""


@app.command()
def init(
    *,
    subscription: Annotated[
        Many,
        typer.Option(
            "--subscription",
            metavar="ID",
            help="Where to look; once for each, such as those of the spokes' route tables.",
            show_default=False,
        ),
    ] = None,
    resource_group: Annotated[
        Many,
        typer.Option(
            "--resource-group",
            metavar=_NAMES,
            help="Look in this resource group only; once for each.",
            show_default=False,
        ),
    ] = None,
    vm: Annotated[
        Many,
        typer.Option(
            "--vm", metavar=_NAMES, help="An NVA; once for each, in order of preference.", show_default=False
        ),
    ] = None,
    nic: Annotated[
        Many,
        typer.Option(
            "--nic", metavar=_NAMES, help="A NIC of an NVA, of which no others are meant.", show_default=False
        ),
    ] = None,
    route_table: Annotated[
        Many,
        typer.Option(
            "--route-table", metavar=_NAMES, help="A table whose routes lead to the NVAs.", show_default=False
        ),
    ] = None,
    group: Annotated[str, typer.Option("--group", metavar="NAME", help="The group's name.")] = "edge",
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=1,
            max=65535,
            help="The TCP port that answers as long as an NVA works.",
            show_default=False,
        ),
    ] = None,
    take: Annotated[
        Many,
        typer.Option(
            "--take", metavar=_NAMES, help="This table or public IP moves with the group.", show_default=False
        ),
    ] = None,
    leave: Annotated[
        Many,
        typer.Option("--leave", metavar=_NAMES, help="This one does not.", show_default=False),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="What to write; - prints it.")
    ] = "nvaha.yaml",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="The file may be there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a first configuration from what Azure has: NVAs, route tables, public IPs.

    Reads lists with this machine's credentials, and changes nothing in Azure.

    On a terminal it asks about what is not plain. Elsewhere that is left out,
    with the reason, until --vm, --port, --take or --leave says it.
    """
    _check_name(group)
    for each in take or ():
        if any(named_in([each], other) or named_in([other], each) for other in leave or ()):
            raise usage(f"{safe(each)} is said both to be taken and to be left: give --take or --leave")
    file = None if output == "-" else Path(output)
    if file is not None:
        _check_free(file, overwrite=overwrite)
    wanted = Wanted(
        group=group,
        vms=tuple(vm or ()),
        nics=tuple(nic or ()),
        route_tables=tuple(route_table or ()),
        port=port,
        take=frozenset(take or ()),
        leave=frozenset(leave or ()),
    )
    from nvaha.cli import listing  # noqa: PLC0415 - Azure's libraries

    named = [*wanted.vms, *wanted.nics, *wanted.route_tables]
    person = on_terminal() and not as_json and file is not None
    scopes = listing.scopes(subscription or (), resource_group or (), named)
    if person:
        say(f"Reading {', '.join(last_part(each) for each in scopes)} …")
    network = listing.read(scopes)
    read_at = datetime.now(UTC)
    proposal = _settled(network, wanted, person=person)
    text = text_of(proposal, scopes, read_at)
    loaded = _checked(text)
    if file is not None:
        _write(file, text, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps(_document(file, text, proposal), indent=2))
        return
    if file is None:
        typer.echo(text, nl=False)
    _tell(file, proposal, loaded, network)


def _check_name(group: str) -> None:
    findings = Findings()
    read_form(GroupForm, {"name": group, "nvas": []}, "", findings)
    for each in findings.errors:
        raise usage(f"--group {safe(group)} {each.message}: {each.remedy}")


def _settled(network: Seen, wanted: Wanted, *, person: bool) -> Proposal:
    """Return the proposal once everything that somebody can be asked has been asked."""
    machines = _members(network, wanted, person=person)
    if person:
        say(f"The NVAs: {safe(_described(machines, network))}")
    while True:
        try:
            proposal: Proposal | None = propose(network, machines, wanted)
            open_ = proposal.open if proposal else ()
            why = ""
        except NothingFollowsError as error:
            proposal, open_, why = None, error.open, str(error)
        if not person or not open_:
            break
        wanted = _asked(wanted, open_[0])
    if proposal is not None:
        _check_said(wanted, proposal)
    else:
        ids = [each.id for each in open_]
        hints = [f"nvaha init … --take {to_type(each.id, ids)}" for each in open_]
        raise Failure(ExitCode.REFUSED, "nothing_follows", why, hints=hints)
    if person and wanted.port is None:
        return propose(network, machines, replace(wanted, port=_port()))
    return proposal


def _check_said(wanted: Wanted, proposal: Proposal) -> None:
    """Refuse a name of something that has nothing to do with these NVAs: it was mistyped, or not read."""
    items = (*proposal.tables, *proposal.public_ips)
    for option, names in (("--take", wanted.take), ("--leave", wanted.leave)):
        for name in sorted(names):
            if not any(named_in([name], each.id) for each in items):
                known = ", ".join(each.name for each in items)
                text = f"{option} {name}: no such table leads to these NVAs, and no such public IP is on them"
                raise usage(f"{text}; there are {known}")


def _members(network: Seen, wanted: Wanted, *, person: bool) -> tuple[Machine, ...]:
    try:
        return members(network, wanted)
    except UnclearError as error:
        choices = error.choices
        if not person or not choices:
            hints = [f"nvaha init … {_vms(each, network)}" for each in choices]
            raise Failure(ExitCode.REFUSED, "which_nvas", str(error), hints=hints) from None
    say("Which VMs stand in for each other?")
    for number, choice in enumerate(choices, start=1):
        say(f"  {number}  {safe(_described(choice, network))}")
    said = reply_to(f"One of 1 to {len(choices)}, or Enter for none: ")
    if said.isascii() and said.isdecimal() and len(said) < 4 and 1 <= int(said) <= len(choices):
        return choices[int(said) - 1]
    hints = [f"nvaha init … {_vms(choices[0], network)}"]
    raise Failure(ExitCode.REFUSED, "which_nvas", "no NVAs were chosen: nothing was written", hints=hints)


def _described(machines: Sequence[Machine], network: Seen) -> str:
    subnets = dict.fromkeys(last_part(each.subnet) for each in machines[0].interfaces)
    return f"{', '.join(_typed(machines, network))} (in {', '.join(subnets)})"


def _vms(choice: Sequence[Machine], network: Seen) -> str:
    return " ".join(f"--vm {each}" for each in _typed(choice, network))


def _typed(machines: Sequence[Machine], network: Seen) -> list[str]:
    everyone = [each.id for each in network.machines]
    return [to_type(each.id, everyone) for each in machines]


def _asked(wanted: Wanted, item: Item) -> Wanted:
    say(f"\n{safe(item.name)}: {safe(item.why)}\n  {safe(item.doubt)}")
    if reply_to("Does it move with the group? [y/N]: ").casefold() in {"y", "yes"}:
        return replace(wanted, take=wanted.take | {item.id})
    return replace(wanted, leave=wanted.leave | {item.id})


def _port() -> int | None:
    say("\nAzure cannot say which TCP port answers as long as an NVA works, and no longer.")
    while said := reply_to(f"Which port? [Enter for {USUAL_PORT}, to be checked]: "):
        if said.isascii() and said.isdecimal() and len(said) < 6 and 1 <= int(said) <= 65535:
            return int(said)
        say("  A port is a number from 1 to 65535.")
    return None


def _checked(text: str) -> Loaded:
    """Return the file as nvaha reads it: what it would refuse is not written."""
    try:
        return parse(text)
    except ConfigError as error:
        raise Failure(
            ExitCode.REFUSED,
            "invalid_configuration",
            f"nothing is written, as it would not be valid. {error}".rstrip(),
            details=[],
        ) from None


def _check_free(file: Path, *, overwrite: bool) -> None:
    if file.is_dir():
        raise usage(f"{safe(str(file))} is a folder", hints=[f"nvaha init … --output {file / 'nvaha.yaml'}"])
    if file.exists() and not overwrite:
        raise _exists(file)


def _exists(file: Path) -> Failure:
    text = f"{safe(str(file))} is there already, and is left as it is"
    return usage(text, hints=["nvaha init … --output OTHER.yaml, or --overwrite"])


def _write(file: Path, text: str, *, overwrite: bool) -> None:
    try:
        with file.open("w" if overwrite else "x", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        text = f"{safe(str(file))} cannot be written: {error.strerror or error}"
        raise Failure(ExitCode.REFUSED, "unwritable", text) from None


class _Listed:
    """What was listed, as a network to look at."""

    def __init__(self, network: Seen) -> None:
        self._network = network

    async def get(self, resource_id: str) -> Resource:
        """Return what the lists had of a resource."""
        found = self._network.get(resource_id)
        if found is None:
            raise NetworkError(NetworkFault.MISSING, resource_id, "it was not among what was read")
        return found

    async def put(self, resource: Resource, **_: object) -> None:
        """Fail: looking never writes."""
        raise AssertionError(resource.id)


def _tell(file: Path | None, proposal: Proposal, loaded: Loaded, network: Seen) -> None:
    from nvaha.cli import online  # noqa: PLC0415 - Azure's libraries

    group = proposal.group
    parts = [
        counted(len(group.nvas), "NVA"),
        counted(len(group.route_tables), "route table"),
        counted(len(group.public_ips), "public IP"),
    ]
    err = file is None
    name = safe(str(file)) if file else "the file"
    written = f"{name} is written: " if file else ""
    text = f"\n{written}group {group.name}, {', '.join(parts)}. Nothing was changed in Azure."
    say(text, err=err)
    reports = asyncio.run(online.survey_all(loaded.configuration, _Listed(network)))
    online.show(reports, stderr=err)
    console = render.console(stderr=err)
    console.print()
    if not proposal.port_known:
        text = f"CHECK the probe's port, {group.nvas[0].probe.port}: Azure cannot say which it is (--port)"
        console.print(render.sentence(text, "bold yellow"))
    for each in proposal.open:
        text = f"LEFT OUT {safe(each.name)}: {safe(each.doubt)} (--take or --leave)"
        console.print(render.sentence(text, "bold yellow"))
    for each in (*proposal.tables, *proposal.public_ips):
        if each.bar:
            console.print(render.sentence(f"LEFT OUT {safe(each.name)}: {safe(each.bar)}", "yellow"))
    for note in proposal.notes:
        console.print(render.sentence(safe(note), "dim"))
    read = f"read {name}" if file else "write it to a file and read that"
    say(f"\nNext: {read}, then: nvaha validate {name if file else 'FILE'} --online", err=err)


def _document(file: Path | None, text: str, proposal: Proposal) -> dict[str, object]:
    return {
        "file": None if file is None else safe(str(file)),
        "yaml": text,
        "active": proposal.active,
        "port_known": proposal.port_known,
        "route_tables": [_item(each) for each in proposal.tables],
        "public_ips": [_item(each) for each in proposal.public_ips],
        "notes": list(map(safe, proposal.notes)),
    }


def _item(item: Item) -> dict[str, object]:
    told = {"why": item.why, "doubt": item.doubt, "bar": item.bar}
    return {"id": item.id, "taken": item.taken, "open": item.open, **in_texts(told, safe)}
