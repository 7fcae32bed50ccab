"""Takes switch messages: is this the switch under way, and is nobody else at it? Then an attempt is made.

Anybody who may write to the queue may write anything there. So a message is judged by what costs least first,
and thousands that do nothing say so in a few lines.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from opentelemetry.trace import SpanKind

from nvaha.core.age import gone_by, unwatched
from nvaha.core.inputs import MessagePoisoned, SwitchHeldUp
from nvaha.core.lifecycle import attended
from nvaha.core.refusal import RefusalCode
from nvaha.model import Configuration, Group, GroupState, Notice
from nvaha.model.messages import BadMessage, SwitchMessage, parse_message
from nvaha.ports import ON_BEHALF_OF, NetworkError, NetworkFault, Ports, correlation_id
from nvaha.state.commit import Committer
from nvaha.state.lease import HeldLease
from nvaha.switch.attempt import Attempt, OtherConfiguration, Superseded
from nvaha.switch.known import KnownStates, Sayings
from nvaha.tracing import named, span

TAKE_S, TAKE_EVERY_S = 20.0, 0.5
"""How long a worker waits for the group's switch lease: one whole lease of a holder that died, and a bit."""
_NOT_UNDER_WAY = "that switch is not under way (done, superseded, or never asked for)"
_AT_WORK = "another worker is carrying it out"
_GOES_ON = frozenset({RefusalCode.ATTENDED, RefusalCode.OTHER_CONFIGURATION})
"""Why a switch is not ended though its message failed every time: somebody else is at it, or is to be."""
_UNREADABLE = (
    "If nvaha has written it, the leader asks again by itself. "
    "Else somebody has a right to this queue that only the monitors need"
)


class Switcher:
    """Carries switches out, each under its group's switch lease."""

    def __init__(self, configuration: Configuration, ports: Ports, instance: str) -> None:
        self._groups = {group.name: group for group in configuration.switched}
        self._ports = ports
        self._committer = Committer(ports)
        self._instance = instance
        self._known = KnownStates(ports)
        self._sayings = Sayings(ports)
        self._at_work: set[str] = set()

    async def take(self, body: bytes) -> str:
        """Carry out the switch that a message's body points at; returns and raises what `run` does.

        What cannot be read does nothing and says so: for the runtime it is done, as trying again is no help.
        """
        try:
            message = parse_message(body)
        except BadMessage as error:
            return self._unreadable("message_refused", body, error)
        return await self.run(message)

    async def take_poison(self, body: bytes) -> str:
        """Give up the switch that a message's body points at; returns and raises what `give_up` does."""
        try:
            message = parse_message(body)
        except BadMessage as error:
            return self._unreadable("message_poisoned", body, error)
        return await self.give_up(message)

    def say_counted(self) -> None:
        """Say how many messages came that did nothing and were only counted so far."""
        self._sayings.say_counted()

    async def run(self, message: SwitchMessage) -> str:
        """Carry out the switch that a message points at, if it is the one under way.

        Returns:
            What came of it, in a sentence. A message about anything but the switch under way moves nothing.

        Raises:
            SwitchIncomplete: the switch ended and something is left undone; that is recorded.
            StoreUnavailable, NetworkError, LeaseLost, OtherConfiguration: the attempt ended without a result,
                to be tried again.
        """
        self._sayings.say_counted()
        if message.operation in self._at_work:
            return self._refuse(message, "this process is carrying it out already")
        self._at_work.add(message.operation)
        work = ON_BEHALF_OF.set(message.operation)
        try:
            return await self._run(message)
        finally:
            # What nobody ends is closed by whoever collects it, and his context has no such work.
            with suppress(ValueError):
                ON_BEHALF_OF.reset(work)
            self._at_work.discard(message.operation)

    async def _run(self, message: SwitchMessage) -> str:
        found = await self._under_way(message)
        if isinstance(found, str):
            return self._refuse(message, found)
        group, state = found
        if unwatched(state, self._ports.clock.now()):
            return self._refuse(message, gone_by(state), "unwatched")
        if not state.is_led_with(group.fingerprint):
            raise OtherConfiguration.than_that_of(self._instance, group)
        stored = state.request.traceparent if state.request else None
        with span(
            "nvaha.switch",
            # A release that traces nothing has dropped it from the one or from the other.
            parent=stored or message.traceparent,
            apart=True,
            kind=SpanKind.CONSUMER,
            group=group.name,
            operation=message.operation,
            generation=message.generation,
            instance=self._instance,
            correlation_id=correlation_id(message.operation),
        ) as made:
            outcome = await self._claim(group, state, message)
            made.set_attributes(named({"outcome": outcome}))
            return outcome

    async def _claim(self, group: Group, state: GroupState, message: SwitchMessage) -> str:
        try:
            # Before the lease: whoever cannot ask Azure keeps nobody from it who can.
            await self._ports.have_token()
        except NetworkError as error:
            return await self._let_go(group, message, error, begun=False)
        lease = HeldLease(self._ports, f"switch-{group.name}", self._instance)
        # Whoever has shown himself just now has the lease, and the leader asks again should he die.
        busy = state.switch is not None and attended(state.switch, self._ports.clock.now())
        if not await self._take(lease, 0.0 if busy else TAKE_S):
            why = _AT_WORK if busy else await self._held_up(group, message, lease)
            return self._refuse(message, why, _AT_WORK)
        attempt = Attempt(group, message, state, lease, self._ports, self._committer, self._instance)
        try:
            return await attempt.carry_out()
        except Superseded as gone:
            return self._refuse(message, str(gone), "superseded")
        except NetworkError as error:
            if error.fault is not NetworkFault.NO_TOKEN:
                raise
            return await self._let_go(group, message, error, begun=True)
        finally:
            await lease.release()

    async def give_up(self, message: SwitchMessage) -> str:
        """End a switch whose message could not be worked off, so that the leader can decide afresh.

        One that somebody carries out, or that was asked for just now, is not ended: the message may be one of
        several. If nobody carries it out the leader asks again, until its deadline.

        Raises:
            StoreUnavailable: storage did not answer.
        """
        self._sayings.say_counted()
        found = await self._under_way(message)
        if isinstance(found, str):
            return self._refuse(message, found)
        group, _ = found
        committed = await self._committer.commit(
            group, MessagePoisoned(message.generation, message.operation)
        )
        refusal = committed.refusal
        if refusal is not None and refusal.code not in _GOES_ON:
            return self._refuse(message, refusal.message, _NOT_UNDER_WAY)
        said = "its operation was given up" if refusal is None else refusal.message
        text = f"{group.name}: a message on operation {message.operation} was set aside: {said}"
        # That the canary's switch was given up is told as the canary's.
        event, level = ("message_refused", "info") if group.canary else ("message_poisoned", "error")
        self._say(event, level, text, message)
        return text

    async def _under_way(self, message: SwitchMessage) -> tuple[Group, GroupState] | str:
        """Return the group and the state in which a message's switch is under way, or why it is not."""
        group = self._groups.get(message.group)
        if group is None:
            return "no group of that name is configured"
        if self._known.is_over(message):
            return _NOT_UNDER_WAY
        state = await self._known.read(group.name)
        if state is None or not state.under_way(message.operation, message.generation):
            return _NOT_UNDER_WAY
        return group, state

    def _refuse(self, message: SwitchMessage, why: str, kind: str = "") -> str:
        which = f"generation {message.generation} ({message.operation})"
        text = f"{message.group}: nothing done for {which}: {why}"
        self._say("message_refused", "info", text, message, kind or why)
        return text

    async def _held_up(self, group: Group, message: SwitchMessage, lease: HeldLease) -> str:
        """Return why a switch is left alone; a stranger's hold on its lease is written down."""
        since = self._ports.clock.now() - timedelta(seconds=TAKE_S)
        why = f"since {since:%Y-%m-%d %H:%M:%S} UTC or longer {lease.taken_by_a_stranger}"
        return await self._report_held_up(group, SwitchHeldUp(message.generation, message.operation, why))

    async def _let_go(self, group: Group, message: SwitchMessage, error: NetworkError, *, begun: bool) -> str:
        """Leave a switch to whoever has a token; the leader asks for it again, here or elsewhere.

        The message is done: sent back, it would be on the poison queue before a token is there again.
        """
        why = f"{self._instance} has {error.message}; it is carried out where there is one"
        held_up = SwitchHeldUp(message.generation, message.operation, why, let_go=begun)
        return self._refuse(message, await self._report_held_up(group, held_up), "cannot ask")

    async def _report_held_up(self, group: Group, held_up: SwitchHeldUp) -> str:
        committed = await self._committer.commit(group, held_up)
        if committed.refusal is not None:
            return committed.refusal.message
        return committed.held.state.blocked or _AT_WORK

    def _say(self, event: str, level: str, text: str, message: SwitchMessage, kind: str = "") -> None:
        known = message.group if message.group in self._groups else ""
        fields = {
            "group": message.group,
            "operation": message.operation,
            "generation": message.generation,
            "instance": self._instance,
        }
        self._sayings.say((event + kind, known), Notice(event, level, text, fields))

    def _unreadable(self, event: str, body: bytes, error: BadMessage) -> str:
        text = f"a message of {len(body)} bytes moves nothing: {error}. {_UNREADABLE}"
        self._sayings.say((event, ""), Notice(event, "error", text, {"instance": self._instance}))
        return text

    async def _take(self, lease: HeldLease, within_s: float) -> bool:
        until = self._ports.clock.monotonic() + within_s
        while not await lease.acquire():
            if self._ports.clock.monotonic() >= until:
                return False
            await self._ports.clock.sleep(TAKE_EVERY_S)
        return True
