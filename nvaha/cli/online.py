"""A configuration held against Azure as it is: who is active, what is off, what cannot be read."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from rich.console import Console
from rich.text import Text

from nvaha.azure.arm.network import ArmNetwork
from nvaha.azure.clock import ServiceClock
from nvaha.azure.clouds import ENDPOINTS
from nvaha.azure.credentials import arm_credential
from nvaha.cli import render
from nvaha.cli.failure import ExitCode, Failure
from nvaha.cli.replies import BreakGlassReply
from nvaha.cli.words import counted
from nvaha.config.settings import Settings, SettingsError
from nvaha.core.by_hand import by_hand
from nvaha.core.survey import survey
from nvaha.model import Configuration, Group, Resource, Snapshot
from nvaha.ports import Network, NetworkError
from nvaha.state.snapshot import lasting, read_snapshot
from nvaha.text import last_part, safe

_TOKEN_S = 60.0


@dataclass(frozen=True, slots=True)
class Report:
    """What Azure says of one group.

    Args:
        group: its name.
        active: the NVA that most routes and public IPs point at, or None.
        routes: how many routes point at the active NVA.
        public_ips: how many public IPs it carries.
        off: one sentence for each write that would bring the rest to it.
        problems: what no write can bring there.
        unready: what would not work at each NVA, or could not be moved there, by NVA.
        unreadable: what Azure does not have, refuses to show, or shows in a form unknown here: why, by
            resource id.
        unanswered: what Azure gave no such answer for, which says nothing about it: why, by resource id.
        no_answer: why Azure could not be asked for any of it, or None.
    """

    group: str
    active: str | None = None
    routes: int = 0
    public_ips: int = 0
    off: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    unready: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    no_answer: str | None = None

    @property
    def good(self) -> bool:
        """Whether a switch of this group to any of its NVAs could be planned and would work."""
        incomplete = self.unreadable or self.unanswered or self.problems or self.unready
        return self.active is not None and not incomplete

    def document(self) -> dict[str, Any]:
        """Return this report for programs."""
        return asdict(self)


def read(configuration: Configuration) -> tuple[Report, ...]:
    """Read every group's resources from Azure, with the credentials of this machine.

    Raises:
        Failure: the settings that say which Azure cannot be used.
    """
    return ask(lambda network: survey_all(configuration, network))


def sheets(groups: Sequence[Group]) -> tuple[BreakGlassReply, ...]:
    """Return how groups are moved by hand, as the app would answer it; raises as `read` does."""
    return ask(lambda network: sheets_of(groups, network))


async def sheets_of(groups: Sequence[Group], network: Network) -> tuple[BreakGlassReply, ...]:
    """Return how groups are moved by hand; Failure if one of them cannot be read at all."""
    return tuple([await _sheets(group, network) for group in groups])


async def _sheets(group: Group, network: Network) -> BreakGlassReply:
    read_at = datetime.now(UTC)
    try:
        snapshot = await read_snapshot(network, group)
    except NetworkError as error:
        text = f"{group.name}: Azure could not be read: {safe(str(error))}"
        raise Failure(ExitCode.NO_ANSWER, "azure_unread", text) from None
    found = [asdict(by_hand(group, snapshot, name, {})) for name in group.names]
    hold = (*group.route_tables, *(each.id for each in group.public_ips))
    document = {"group": group.name, "read_at": read_at, "hold": hold, "nvas": found}
    return BreakGlassReply.model_validate(document)


_Answer = TypeVar("_Answer")


def ask(what: Callable[[ArmNetwork], Awaitable[_Answer]]) -> _Answer:
    """Do something with Azure as it is reached from this machine; raises as `read` does."""
    try:
        settings = Settings.from_environ(os.environ, storage_required=False)
    except SettingsError as error:
        raise Failure(ExitCode.USAGE, "settings", "\n".join(error.problems)) from None
    # Without a handler, Python prints the library's warnings; what matters of them is in our sentences.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    return asyncio.run(_read(what, settings))


async def _read(what: Callable[[ArmNetwork], Awaitable[_Answer]], settings: Settings) -> _Answer:
    async with (
        arm_credential(settings) as credential,
        ArmNetwork(settings, credential, ServiceClock()) as network,
    ):
        await _must_have_a_token(credential, settings)
        return await what(network)


async def _must_have_a_token(credential: AsyncTokenCredential, settings: Settings) -> None:
    """Ask for a token once, so that a machine without credentials is told so once."""
    hints = ["az login   (or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET)"]
    try:
        async with asyncio.timeout(_TOKEN_S):
            await credential.get_token(ENDPOINTS[settings.cloud].arm_scope)
    except TimeoutError:
        text = f"no token for Azure within {_TOKEN_S:g} s"
        raise Failure(ExitCode.NO_ANSWER, "no_token", text, hints=hints) from None
    except AzureError as error:
        lines = str(error.message).splitlines()
        why = next((line for line in lines if line.strip()), type(error).__name__)
        text = f"this machine has no credentials for Azure: {safe(why)}"
        raise Failure(ExitCode.NO_ANSWER, "no_token", text, hints=hints) from None


async def survey_all(configuration: Configuration, network: Network) -> tuple[Report, ...]:
    """Return a report on each group; one that cannot be read does not keep the others from it."""
    return tuple(await asyncio.gather(*(_survey(group, network) for group in configuration.switched)))


class _Noting:
    """A network that notes which resources it has an answer for that will be the same the next time."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.answered: set[str] = set()

    async def get(self, resource_id: str) -> Resource:
        """Read a resource; a read that is cut off is none that was answered."""
        try:
            resource = await self._network.get(resource_id)
        except NetworkError as error:
            if lasting(error):
                self.answered.add(resource_id.casefold())
            raise
        self.answered.add(resource_id.casefold())
        return resource

    async def put(self, resource: Resource, *, alive: Callable[[], Awaitable[None]]) -> None:
        """Write a resource; looking never does."""
        await self._network.put(resource, alive=alive)


async def _survey(group: Group, network: Network) -> Report:
    noting = _Noting(network)
    try:
        snapshot = await read_snapshot(noting, group)
    except NetworkError as error:
        return Report(group.name, no_answer=safe(f"{last_part(error.resource_id)}: {error.message}"))
    said = survey(group, snapshot, {})
    owner = said.owner()
    missing = {
        each: safe(snapshot.missing[each.casefold()])
        for each in group.resource_ids
        if each.casefold() in snapshot.missing
    }
    unreadable = {each: why for each, why in missing.items() if each.casefold() in noting.answered}
    unanswered = {each: why for each, why in missing.items() if each not in unreadable}
    if owner is None:
        problems = (safe(each) for why in said.problems.values() for each in why if not _said(each, snapshot))
        return Report(
            group.name,
            problems=tuple(dict.fromkeys(problems)),
            unreadable=unreadable,
            unanswered=unanswered,
        )
    return Report(
        group.name,
        active=owner,
        routes=said.routes.get(owner, 0),
        public_ips=said.public_ips.get(owner, 0),
        off=tuple(map(safe, said.off.get(owner, ()))),
        problems=tuple(safe(each) for each in said.problems.get(owner, ()) if not _said(each, snapshot)),
        unready={
            name: tuple(safe(each) for each in why if not _said(each, snapshot))
            for name, why in said.unready.items()
            if any(not _said(each, snapshot) for each in why)
        },
        unreadable=unreadable,
        unanswered=unanswered,
    )


def _said(sentence: str, snapshot: Snapshot) -> bool:
    """Tell whether a sentence is about what could not be read, which is said once, under its own name."""
    return any(why in sentence for why in snapshot.missing.values())


def exit_code(reports: Sequence[Report]) -> ExitCode:
    """Return 3 if Azure left something open, 1 if a group could not be switched as configured, else 0."""
    if any(each.no_answer or each.unanswered for each in reports):
        return ExitCode.NO_ANSWER
    return ExitCode.DONE if all(each.good for each in reports) else ExitCode.REFUSED


def show(reports: Sequence[Report], *, stderr: bool = False) -> None:
    """Print the reports for a person."""
    console = render.console(stderr=stderr)
    console.print(Text("\nRead from Azure with this machine's credentials, not the app's:\n", style="dim"))
    for report in reports:
        _show(console, report)


def _show(console: Console, report: Report) -> None:
    name = Text(report.group, style="bold")
    if report.no_answer:
        console.print(name.append(f"  Azure did not answer: {report.no_answer}", style="bold red"))
        return
    if report.active is None:
        text = "  the active NVA cannot be told: no route and no public IP that was read points at its NVAs"
        console.print(name.append(text, style="bold red"))
    else:
        style = "green" if report.good and not report.off else "yellow"
        held = f"{counted(report.routes, 'route')}, {counted(report.public_ips, 'public IP')}"
        console.print(name.append(f"  {report.active} is active ({held})", style=style))
    for each in report.off:
        console.print(render.sentence(f"off: {each}", "yellow"))
    for each in report.problems:
        console.print(render.sentence(f"cannot be put right: {each}", "bold red"))
    for nva, sentences in report.unready.items():
        for sentence in sentences:
            if sentence not in report.problems:
                console.print(render.sentence(f"{nva} is not ready: {sentence}", "bold red"))
    for why, names in _by_reason(report.unreadable).items():
        console.print(render.sentence(f"{', '.join(names)}: {why}", "bold red"))
    for why, names in _by_reason(report.unanswered).items():
        console.print(render.sentence(f"{', '.join(names)}: {why}; this may pass, ask again", "bold red"))
    if any("403" in why for why in report.unreadable.values()):
        text = "a role is missing for this identity: docs/security.md lists what the app's identity needs"
        console.print(render.sentence(text, "bold"))


def _by_reason(unread: dict[str, str]) -> dict[str, list[str]]:
    """Return the names of the resources that were not read, by why not."""
    by_reason: dict[str, list[str]] = {}
    for resource_id, why in unread.items():
        by_reason.setdefault(why, []).append(last_part(resource_id))
    return by_reason
