"""Takes switch messages: is this the switch under way, and is nobody else at it? Then an attempt is made."""

from __future__ import annotations

from datetime import timedelta

from nvaha.core.inputs import SwitchFailed, SwitchHeldUp
from nvaha.model import Configuration, Group, Notice
from nvaha.model.messages import SwitchMessage
from nvaha.ports import Ports
from nvaha.state.commit import Committer
from nvaha.state.lease import HeldLease
from nvaha.switch.attempt import Attempt, OtherConfiguration, Superseded

TAKE_S, TAKE_EVERY_S = 20.0, 0.5
"""How long a worker waits for the group's switch lease: one whole lease of a holder that died, and a bit."""


class Switcher:
    """Carries switches out, each under its group's switch lease."""

    def __init__(self, configuration: Configuration, ports: Ports, instance: str) -> None:
        self._groups = {group.name: group for group in configuration.groups}
        self._ports = ports
        self._committer = Committer(ports)
        self._instance = instance

    async def run(self, message: SwitchMessage) -> str:
        """Carry out the switch that a message points at, if it is the one under way.

        Returns:
            What came of it, in a sentence. A message about anything but the switch under way moves nothing.

        Raises:
            SwitchIncomplete: the switch ended and something is left undone; that is recorded.
            StoreUnavailable, NetworkError, LeaseLost, OtherConfiguration: the attempt ended without a result,
                to be tried again.
        """
        group = self._groups.get(message.group)
        if group is None:
            return self._refuse(message, "no group of that name is configured")
        held = await self._ports.store.load(group.name)
        if held is None or not held.state.under_way(message.operation, message.generation):
            return self._refuse(
                message, "that switch is not under way (done, superseded, or never asked for)"
            )
        if held.state.fingerprint not in (None, group.fingerprint):
            text = f"{group.name}: the leader has another configuration of it than {self._instance}"
            raise OtherConfiguration(f"{text}; deploy the same one everywhere")
        lease = HeldLease(self._ports, f"switch-{group.name}", self._instance)
        if not await self._take(lease):
            return self._refuse(message, await self._held_up(group, message, lease))
        attempt = Attempt(group, message, held.state, lease, self._ports, self._committer, self._instance)
        try:
            return await attempt.carry_out()
        except Superseded as gone:
            return self._refuse(message, str(gone))
        finally:
            await lease.release()

    async def give_up(self, message: SwitchMessage) -> str:
        """End a switch whose message could not be worked off, so that the leader can decide afresh.

        Raises:
            StoreUnavailable: storage did not answer.
        """
        group = self._groups.get(message.group)
        if group is None:
            return self._refuse(message, "no group of that name is configured")
        error = "its message failed every time it was delivered (poison queue)"
        committed = await self._committer.commit(
            group, SwitchFailed(message.generation, message.operation, error)
        )
        if committed.refusal is not None:
            return self._refuse(message, committed.refusal.message)
        text = f"{group.name}: operation {message.operation} was given up: {error}"
        self._notify("message_poisoned", "error", text, group=group.name, operation=message.operation)
        return text

    async def _held_up(self, group: Group, message: SwitchMessage, lease: HeldLease) -> str:
        """Return why a switch is left alone; a stranger's hold on its lease is written down."""
        since = self._ports.clock.now() - timedelta(seconds=TAKE_S)
        why = f"since {since:%Y-%m-%d %H:%M:%S} UTC or longer {lease.taken_by_a_stranger}"
        held_up = SwitchHeldUp(message.generation, message.operation, why)
        committed = await self._committer.commit(group, held_up)
        if committed.refusal is not None:
            return committed.refusal.message
        return committed.held.state.blocked or "another worker is carrying it out"

    def _notify(self, event: str, level: str, text: str, **fields: object) -> None:
        self._ports.notifier.notify(Notice(event, level, text, {**fields, "instance": self._instance}))

    def _refuse(self, message: SwitchMessage, why: str) -> str:
        text = (
            f"{message.group}: nothing done for generation {message.generation} ({message.operation}): {why}"
        )
        fields = {"group": message.group, "operation": message.operation, "generation": message.generation}
        self._notify("message_refused", "info", text, **fields)
        return text

    async def _take(self, lease: HeldLease) -> bool:
        until = self._ports.clock.monotonic() + TAKE_S
        while not await lease.acquire():
            if self._ports.clock.monotonic() >= until:
                return False
            await self._ports.clock.sleep(TAKE_EVERY_S)
        return True
