"""The groups that a leader watches: each one's state as last seen, and the leader's one way to change it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field, replace

from opentelemetry.trace import Span

from nvaha.concurrency import run_all
from nvaha.core.discovery import CONFIRMED
from nvaha.core.inputs import Elected, OfLeader
from nvaha.core.lifecycle import abandoned, as_remembered
from nvaha.core.present import present
from nvaha.core.sending import Done
from nvaha.model import Configuration, Group, GroupState, Notice, Phase
from nvaha.ports import Ports, StateUnreadable, Versioned
from nvaha.state.commit import Committer, Outdated
from nvaha.state.lease import HeldLease
from nvaha.tracing import within
from nvaha.watch.paces import Paces
from nvaha.watch.troubles import Deposed, Troubles

STAMPS_AT_ONCE = 20
EPOCHS_APART = 10**6
"""A stored epoch that is so far above the lease's is no leader's. A leader that outbid it would bring every
group there; a lease that was made anew is at 1 while the groups are where so many elections brought them."""


@dataclass(slots=True)
class WatchedGroup:
    """What the leader keeps of one group between rounds; `lock` orders its own writers.

    `unsure` means that a write was not answered, or that the row cannot be read: it is read again before the
    next write. `cut_off` means that a look was ended by the end of a tick, and is to be made up for.
    `throttled` counts the looks in a row that Azure refused because too much is asked of it. `incident` is
    the span of the active NVA's failing, while it fails.
    """

    group: Group
    held: Versioned
    due_at: float = 0.0
    looked_at: float = float("-inf")
    cut_off: bool = False
    throttled: int = 0
    unsure: bool = False
    incident: Span | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    paces: Paces = field(default_factory=Paces)

    @property
    def state(self) -> GroupState:
        """The group's state as last seen."""
        return self.held.state


class WatchedGroups:
    """All groups that this monitor watches, once it leads; the canary is there too, and none of them.

    Args:
        configuration: which groups there are.
        ports: the outside.
        lease: the leader's lease; nothing is written without it.
    """

    def __init__(self, configuration: Configuration, ports: Ports, lease: HeldLease) -> None:
        self._configuration = configuration
        self._ports = ports
        self._lease = lease
        self._committer = Committer(ports, self._remember)
        self.troubles = Troubles(ports)
        self._watched: dict[str, WatchedGroup] = {}
        self._looked_at: dict[str, float] = {}
        self._remembered: dict[str, GroupState] = {}
        self.newest_epoch = 0

    def __iter__(self) -> Iterator[WatchedGroup]:
        return iter([each for each in self._watched.values() if each.group.canary is None])

    def __len__(self) -> int:
        return len(list(iter(self)))

    @property
    def busy(self) -> bool:
        """Whether a group is being switched, or may be: its row cannot be read, or has not been yet."""
        unknown = len(self) < len(self._configuration.groups)
        return unknown or any(each.state.phase is Phase.SWITCHING for each in self)

    @property
    def canary(self) -> WatchedGroup | None:
        """The canary, if there is one whose row can be read."""
        return next((each for each in self._watched.values() if each.group.canary is not None), None)

    def present(self, *, blind: bool, fresh: bool) -> tuple[Notice, ...]:
        """Return how each configured group stands now, those included that could not be taken over.

        Args:
            blind: whether the monitor can see.
            fresh: whether it leads for so short a time that it cannot have probed every group.
        """
        now = self._ports.clock.now()
        return tuple(
            present(
                group,
                watched.state if (watched := self._watched.get(group.name)) else None,
                now,
                blind=blind,
                fresh=fresh,
                unreadable=self.troubles.is_unreadable(group.name),
                throttled=watched is not None and watched.throttled >= CONFIRMED,
            )
            for group in self._configuration.groups
        )

    def with_probes(self, line: Notice) -> Notice:
        """Return a line on a group with how long its probes took since the one before."""
        watched = self._watched.get(str(line.fields["group"]))
        probes = watched.paces.tell() if watched else []
        return replace(line, fields={**line.fields, "probes": probes}) if probes else line

    def forget(self) -> None:
        """Start afresh, as a new leader does; what was read of Azure just now is not read again at once."""
        self._looked_at |= {name: watched.looked_at for name, watched in self._watched.items()}
        self._watched.clear()
        self.troubles.forget()

    async def take_over(self) -> None:
        """Read what others wrote since, and stamp the epoch on the groups that are not watched yet.

        The stamp comes before a group's first round, so that whatever an older leader still has in hand
        conflicts.
        """
        stored = await self._ports.store.load_all()
        places = asyncio.Semaphore(STAMPS_AT_ONCE)

        async def take(group: Group) -> None:
            async with places:
                duty = self._take(group, stored.get(group.name))
                await self.troubles.apart(group.name, "taking it over", duty)

        async def clear_up(found: Versioned) -> None:
            async with places:
                group = found.state.group
                await self.troubles.apart(group, "ending its switch", self._clear_up(found))

        await run_all(take(group) for group in self._configuration.switched)
        known = {group.name for group in self._configuration.switched}
        others = [held for held in stored.values() if isinstance(held, Versioned)]
        await run_all(clear_up(held) for held in others if held.state.group not in known)

    async def _take(self, group: Group, found: Versioned | StateUnreadable | None) -> None:
        watched = self._watched.get(group.name)
        if isinstance(found, StateUnreadable):
            if watched is not None:
                watched.unsure = True
            raise found
        if watched is None or found is None or found.version != watched.held.version:
            await self._stamp(group, found)
        self.troubles.readable(group.name)

    async def _clear_up(self, found: Versioned) -> None:
        """End what a group that was renamed or removed has left behind; else it is under way for ever.

        Another app may have it configured: what that goes on with is left alone.
        """
        state = found.state
        given_up = abandoned(state, self._ports.clock.now())
        if given_up is not None:
            self._still_lead(state)
            # Nor has this leader any configuration of it that a report could differ from.
            found = replace(found, state=replace(state, fingerprint=None))
            await self._committer.commit(as_remembered(state), given_up, found, guard=self._lease.check)
        elif state.closings:
            await self._committer.settle(found, self._lease.check)

    async def decide(
        self, watched: WatchedGroup, happened: OfLeader, still: Callable[[], bool] = lambda: True
    ) -> bool:
        """Decide on an input of a group, unless by the time that can be done it is not `still` new.

        Returns:
            Whether it was still new.

        Raises:
            LeaseLost: the lease cannot be relied on any more.
            Deposed: somebody else leads.
            StateUnreadable: its row cannot be read.
            StoreUnavailable: storage did not answer.
        """
        async with watched.lock:
            self._lease.check()
            held = None if watched.unsure else watched.held
            watched.unsure = True
            happened = replace(happened, remembered=watched.state)
            try:
                with within(watched.incident):
                    watched.held = await self._commit(watched.group, happened, held, still)
            except Outdated:
                return False
            self._remember(watched.state)
            watched.unsure = False
            self.troubles.readable(watched.group.name)
            return True

    @property
    def unsent(self) -> tuple[WatchedGroup, ...]:
        """Those, the canary among them, of which receivers have not taken everything."""
        return tuple(each for each in self._watched.values() if each.state.unsent)

    async def sent(self, watched: WatchedGroup, done: Set[Done]) -> None:
        """Write down what receivers took; what cannot be written now is found again.

        Raises:
            LeaseLost: the lease cannot be relied on any more.
            StoreUnavailable: storage did not answer.
        """
        async with watched.lock:
            if watched.unsure:
                return
            watched.unsure = True
            held = await self._committer.sent(watched.held, done, self._lease.check)
            if held is not None:
                watched.held, watched.unsure = held, False

    async def _stamp(self, group: Group, held: Versioned | None) -> None:
        """Stamp the epoch on a group, also on one that is watched: its row may have gone back in time."""
        self._lease.check()
        watched = self._watched.get(group.name)
        elected = Elected(self._lease.epoch, self._remembered.get(group.name))
        stamped = await self._commit(group, elected, held)
        # What an older leader's death left undone is found in the state that now carries our epoch.
        settled = await self._committer.settle(stamped, self._lease.check)
        self._remember(settled.state)
        if watched is not None:
            watched.held = settled
            return
        # As after a look that was cut off: soon, but never sooner than the budget for reads allows.
        looked_at = self._looked_at.get(group.name, float("-inf"))
        self._watched[group.name] = WatchedGroup(group, settled, looked_at=looked_at, cut_off=True)

    def _remember(self, state: GroupState) -> None:
        self._remembered[state.group] = state

    def _still_lead(self, state: GroupState) -> None:
        """Raise Deposed if a newer leader has written a state, StateUnreadable if no leader can have."""
        mine = self._lease.epoch
        if state.epoch > mine + EPOCHS_APART:
            text = (
                f"in the row of group {state.group} epoch is {state.epoch}, and the leader's lease at {mine}"
            )
            raise StateUnreadable(f"{text}: no leader has come so far; set it to {mine}")
        if state.epoch > mine:
            self.newest_epoch = max(self.newest_epoch, state.epoch)
            raise Deposed(f"{state.group}: epoch {mine} is deposed by epoch {state.epoch}")

    async def _commit(
        self,
        group: Group,
        happened: OfLeader,
        held: Versioned | None,
        still: Callable[[], bool] = lambda: True,
    ) -> Versioned:
        committed = await self._committer.commit(group, happened, held, guard=self._lease.check, still=still)
        # The only input of a leader's that is refused is that of one who is deposed.
        self._still_lead(committed.held.state)
        return committed.held
