"""What the leader tells of itself: its record in the table, the heartbeat in the log, whether it can see."""

from __future__ import annotations

from dataclasses import replace

from nvaha.core.lifecycle import unattended
from nvaha.core.measures import of_group, of_leader
from nvaha.core.present import told_again_s
from nvaha.model import SIGN_EVERY_S, STALE_AFTER_S, WRITTEN_EVERY_S, ControlTarget, LeaderRecord, Notice
from nvaha.ports import Ports, StoreUnavailable
from nvaha.state.lease import HeldLease
from nvaha.watch.blindness import Blindness
from nvaha.watch.standbys import Standbys
from nvaha.watch.watched import WatchedGroups


class LeaderRecorder:
    """Lets the other monitors, and the log, see that rounds are being done.

    Args:
        ports: the outside.
        watched: the groups.
        lease: the leader's lease.
        blindness: asks the control targets.
        instance: this monitor's name.
        standbys: knows who else could lead.
    """

    def __init__(
        self,
        ports: Ports,
        watched: WatchedGroups,
        lease: HeldLease,
        blindness: Blindness,
        instance: str,
        *,
        standbys: Standbys,
    ) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._watched = watched
        self._lease = lease
        self._blindness = blindness
        self._standbys = standbys
        self._instance = instance
        self._round_at = ports.clock.now()
        self._longest_s = 0.0
        self._late = self._dropped = 0
        self._blind = False
        self._written_at = float("-inf")
        self._elected_at = ports.clock.monotonic()
        self._told: dict[str, tuple[Notice, float]] = {}
        self._life: dict[str, object] = {}
        self._life_at = float("-inf")
        self._control: dict[ControlTarget, bool] = {}

    def elected(self) -> None:
        """Write the record and tell every group at once: there is a new leader.

        It is as fresh as its election until its first round has ended: what it did as a follower, or in an
        earlier time as leader, says nothing about now.
        """
        self._round_at, self._blind = self._clock.now(), False
        self._written_at = float("-inf")
        self._elected_at = self._clock.monotonic()
        self._told.clear()
        self._life.clear()

    def round_ended(self) -> None:
        """Remember that a round of a group has ended just now."""
        self._round_at = self._clock.now()

    def round_took(self, seconds: float, *, late: bool) -> None:
        """Remember how long a round took, and whether it began too late."""
        self._longest_s = max(self._longest_s, seconds)
        self._late += late

    def round_dropped(self) -> None:
        """Remember that a round was not believed, because the process stood still in it."""
        self._dropped += 1
        self._ports.meter.count("nvaha_rounds_dropped_total")

    async def tell_blindness(self, *, blind: bool) -> None:
        """Say when the monitor goes blind, in whichever group first, and when it sees everywhere again."""
        if self._blind is blind:
            return
        self._blind = blind
        if blind:
            text = "nothing answers any more: the monitor calls itself blind and switches nothing"
            self._notify("blind", "error", text, instance=self._instance)
        else:
            self._notify("blind_over", "info", "the monitor can see again", instance=self._instance)
        await self._try_to_write()

    async def run(self) -> None:
        """Write the record at its interval until cancelled."""
        while True:
            await self._clock.sleep(self._written_at + WRITTEN_EVERY_S - self._clock.monotonic())
            began_at = self._clock.monotonic()
            await self._check_control_targets()
            await self._try_to_write()
            self._tell_groups()
            # Not before: what the end of a tick cuts short is made up for at the start of the next.
            self._written_at = began_at

    async def _check_control_targets(self) -> None:
        """Report targets that have gone: with none left, no failure would be believed when it matters."""
        for target, answers in (await self._blindness.control_answers()).items():
            if self._control.get(target, True) != answers:
                name = f"{target.address}:{target.port}"
                event, level = ("control_up", "info") if answers else ("control_down", "error")
                text = f"control target {name} {'answers again' if answers else 'does not answer'}"
                self._notify(event, level, text, instance=self._instance, target=name)
            self._control[target] = answers

    def all_is_watched(self) -> bool:
        """Tell whether rounds are fresh, the monitor sees, and each configured group was probed lately."""
        round_s = (self._clock.now() - self._round_at).total_seconds()
        lines = self._watched.present(blind=self._blind, fresh=False)
        unwatched = any(line.fields.get("unwatched") for line in lines)
        return self._lease.valid and round_s <= STALE_AFTER_S and not self._blind and not unwatched

    def _tell_groups(self) -> None:
        """Say how each group stands, at once when that has changed and now and then when it has not."""
        now = self._clock.monotonic()
        fresh = now - self._elected_at < STALE_AFTER_S
        lines = self._watched.present(blind=self._blind, fresh=fresh)
        for line in lines:
            name = line.fields["group"]
            told, told_at = self._told.get(name, (None, now))
            if line != told or now - told_at >= told_again_s(line, len(lines)):
                self._told[name] = line, now
                self._ports.notifier.notify(self._watched.with_probes(line))

    async def _try_to_write(self) -> None:
        """Write the record; that it cannot be written now is no reason to drop what a round has read."""
        try:
            await self._write()
        except StoreUnavailable as error:
            self._notify("store_unavailable", "warning", f"the leader's record: {error}")

    async def _write(self) -> None:
        await self._standbys.recall()
        now = self._clock.now()
        waiting = sum(unattended(watched.state, now) for watched in self._watched)
        record = LeaderRecord(self._instance, self._lease.epoch, self._round_at, self._blind, waiting)
        record = replace(record, standby_at=self._standbys.seen_at, alone=self._standbys.alone)
        self._ports.meter.show(of_leader(record, now))
        for each in self._watched:
            self._ports.meter.show(of_group(each.group, each.state, now))
        await self._ports.store.save_leader(record)
        count = len(self._watched)
        fields = {
            "instance": self._instance,
            "epoch": record.epoch,
            "groups": count,
            "blind": self._blind,
            "round_ms": round(self._longest_s * 1000),
            "standbys": self._standbys.count,
            **({"alone": True} if record.alone else {}),
        }
        self._tell_life(fields)
        if self._late or self._dropped:
            text = f"{self._late} rounds began more than a second after they were due"
            text += f", {self._dropped} were dropped because the process stood still in them"
            self._notify("round_late", "warning", text, **fields, late=self._late, dropped=self._dropped)
        self._late = self._dropped = 0

    def _tell_life(self, fields: dict[str, object]) -> None:
        """Say that somebody leads: at once when more changes than how long rounds take, and now and then."""
        now, news = self._clock.monotonic(), {**fields, "round_ms": 0}
        # What is written on time is a moment late.
        if news == self._life and now - self._life_at < SIGN_EVERY_S - WRITTEN_EVERY_S / 2:
            return
        self._life, self._life_at, self._longest_s = news, now, 0.0
        text = f"{self._instance} leads {fields['groups']} groups with epoch {fields['epoch']}"
        self._notify("heartbeat", "info", text, **fields)

    def _notify(self, event: str, level: str, text: str, **fields: object) -> None:
        self._ports.notifier.notify(Notice(event, level, text, fields))
