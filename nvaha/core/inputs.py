"""What `decide` is asked about: everything that can happen to a group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nvaha.model import GroupState, Phase, Reading


@dataclass(frozen=True, slots=True)
class Elected:
    """A monitor became the leader and stamps its epoch on the group, so that no older leader can write.

    `remembered`, here and below, is the group as this leader last saw it: a row may go back in time.
    """

    epoch: int
    remembered: GroupState | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """The leader took a reading of each NVA of the group, in one round."""

    epoch: int
    readings: Mapping[str, Reading]
    blind: bool = False
    remembered: GroupState | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What the network says of a group.

    Args:
        routes: how many routes point at each NVA.
        public_ips: how many of the group's public IPs each NVA carries.
        off: for each NVA, one sentence for each table and public IP that is not there, and should be.
        problems: for each NVA, one sentence for whatever no write of ours can bring there.
        unready: for each NVA, one sentence for whatever would not work there, the problems among them.
        unanswered: one sentence for each resource that Azure gave no answer for: nothing is known of it.
        hidden: one sentence for each resource that Azure will not show, or not in a form known here.
        addresses: {NVA: {role: {IP configuration: private IP}}} as read.
        primary: {NVA: {role: primary IP configuration}} as read.
    """

    routes: Mapping[str, int]
    public_ips: Mapping[str, int]
    off: Mapping[str, tuple[str, ...]]
    problems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unready: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unanswered: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    addresses: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    primary: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def owners(self) -> tuple[str, ...]:
        """The NVAs that anything points at."""
        return tuple(name for name in self.off if self.routes.get(name, 0) or self.public_ips.get(name, 0))

    def owner(self) -> str | None:
        """Return the NVA that most points at: routes count before public IPs, then the configured order."""
        return max(
            self.owners,
            key=lambda name: (self.routes.get(name, 0), self.public_ips.get(name, 0)),
            default=None,
        )


@dataclass(frozen=True, slots=True)
class Tagged:
    """What the tags of a group's resources say, each in a sentence: that it has a rival, that it is held."""

    rival: str | None = None
    hold: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkRead:
    """The leader read the group's routes and public IPs from Azure.

    `standing` is the phase and generation that the group was in when the reading began: what was read in
    another one may be half of a switch. None means that nobody cares.
    """

    epoch: int
    survey: Survey
    standing: tuple[Phase, int] | None = None
    tagged: Tagged = Tagged()
    remembered: GroupState | None = None


@dataclass(frozen=True, slots=True)
class NetworkUnread:
    """The leader wanted to read the group's routes and public IPs, and Azure did not let it."""

    epoch: int
    error: str
    remembered: GroupState | None = None


@dataclass(frozen=True, slots=True)
class CanaryWatched:
    """The leader looked whether the canary is due; `busy` tells that a group is being switched, or may be."""

    epoch: int
    busy: bool = False
    remembered: GroupState | None = None


@dataclass(frozen=True, slots=True)
class FailoverCommanded:
    """An operator wants the group on another NVA: now, or `at` a time to come.

    `source` is the NVA that he believes to be the active one: the command is for no other case.
    """

    to: str
    by: str
    reason: str = ""
    force: bool = False
    request_id: str | None = None
    source: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CancelCommanded:
    """An operator does not want a failover any more that is scheduled."""

    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PauseCommanded:
    """An operator stops, or lets go on, what the leader does by itself; a pause may be `for_s` seconds."""

    paused: bool
    by: str
    reason: str = ""
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class SwitchMoved:
    """The worker that carries a switch out is alive and getting on with it."""

    generation: int
    operation: str


@dataclass(frozen=True, slots=True)
class SwitchHeldUp:
    """A worker cannot carry a switch out; `why` says what is in its way, and what to do about it.

    Either somebody else holds the switch's lease, or (`let_go`) who says this has held it and gives it up.
    """

    generation: int
    operation: str
    why: str
    let_go: bool = False


@dataclass(frozen=True, slots=True)
class SwitchDone:
    """A switch ended with everything verified on its target.

    `claimed_at` is when a worker first took it up, `wrote_at` when its first write was about to be sent, None
    if there was nothing to write; `versions` are what that worker runs on. A canary is judged by these.
    """

    generation: int
    operation: str
    claimed_at: datetime | None = None
    wrote_at: datetime | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SwitchFailed:
    """A switch ended without reaching its target; what it left undone is in its operation record.

    `begun` tells whether anything was written: a planned move that cannot end well is not begun. `stays` are
    the public IPs that the target refused once they were free, and that are back where they were. `tagged` is
    what tags said that kept it from being begun. `outdated` says that its record has ended: then it is the
    row that went back in time.
    """

    generation: int
    operation: str
    error: str
    begun: bool = True
    stays: tuple[str, ...] = ()
    tagged: Tagged = Tagged()
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class MessagePoisoned:
    """A message on a switch is on the poison queue: it failed every time, or somebody has put it there."""

    generation: int
    operation: str


OfLeader = Elected | Probed | NetworkRead | NetworkUnread | CanaryWatched

Input = (
    OfLeader
    | FailoverCommanded
    | CancelCommanded
    | PauseCommanded
    | SwitchMoved
    | SwitchHeldUp
    | SwitchDone
    | SwitchFailed
    | MessagePoisoned
)
