"""What a monitor that does not lead tells of who does: a sign of life in a log that it may have alone."""

from __future__ import annotations

from nvaha.core.instances import lately
from nvaha.core.present import elsewhere
from nvaha.model import SIGN_EVERY_S, WRITTEN_EVERY_S, Configuration, LeaderRecord, Notice
from nvaha.ports import Ports, StoreUnavailable
from nvaha.state.lease import HeldLease

FIRST_S = 2.0
"""The first look is so long after the start: by then the lease has been asked for."""


class Following:
    """Tells who leads, and how old that one's last round is, while this monitor does not lead.

    Where each monitor has a workspace of its own, the one that follows would be silent there, as if nobody
    led. What it cannot read it does not tell: silence is what the alerts go by.

    Args:
        ports: the outside.
        configuration: which groups there are.
        lease: the leader's lease, held or not.
        instance: this monitor's name.
    """

    def __init__(self, ports: Ports, configuration: Configuration, lease: HeldLease, instance: str) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._groups = configuration.groups
        self._lease = lease
        self._instance = instance
        self._due_at = ports.clock.monotonic() + FIRST_S
        self._ended: int | None = None

    async def run(self) -> None:
        """Tell it at its interval until cancelled."""
        while True:
            await self._clock.sleep(self._due_at - self._clock.monotonic())
            looked_at = self._clock.monotonic()
            told = not self._lease.valid and await self._try_to_tell()
            # Not before: what the end of a tick cuts short is made up for at the start of the next.
            self._due_at = looked_at + (SIGN_EVERY_S if told else WRITTEN_EVERY_S)

    async def _try_to_tell(self) -> bool:
        """Tell it; False if it cannot be known now, which stops nothing."""
        try:
            self._tell(await self._ports.store.load_leader())
        except StoreUnavailable:
            return False
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it must not end the watch
            text = f"{self._instance} cannot tell whom it follows: {error!r}"
            self._ports.notifier.notify(Notice("round_failed", "warning", text, {"instance": self._instance}))
        return True

    def _tell(self, leader: LeaderRecord | None) -> None:
        fields: dict[str, object] = {"instance": self._instance}
        if leader is None:
            self._notify(f"{self._instance} does not lead, and nobody has told that it does", fields)
            return
        now = self._clock.now()
        age_s = round(max(0.0, (now - leader.round_at).total_seconds()), 1)
        text = (
            f"{self._instance} follows {leader.instance}, epoch {leader.epoch}, last round {age_s:.0f} s ago"
        )
        self._notify(text, {**fields, "leader": leader.instance, "epoch": leader.epoch, "age_s": age_s})
        # Its own record, of a moment ago, ends nothing.
        another = leader.instance != self._instance and leader.epoch != self._ended
        if another and lately(leader.round_at, now):
            self._ended = leader.epoch
            for group in self._groups:
                self._ports.notifier.notify(elsewhere(group, leader.instance, leader.epoch))

    def _notify(self, text: str, fields: dict[str, object]) -> None:
        self._ports.notifier.notify(Notice("following", "info", text, fields))
