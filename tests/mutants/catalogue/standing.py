"""Rules of who could lead, who sees, and who therefore gives the lease up."""

from __future__ import annotations

from tests.mutants.change import drop, replace
from tests.mutants.mutant import Mutant

SIGHT = ("tests/simulation/test_sight.py",)

YIELDING = (
    Mutant(
        "blind-leader-stays",
        "a leader that is blind for a whole lease lets one that sees lead",
        "nvaha.watch.standbys:Standbys._yield_to_sight",
        replace("blind_s < LEASE_S", by="True"),
        tests=SIGHT,
    ),
    Mutant(
        "gives-up-at-once",
        "a leader gives nothing up for being blind for less than a lease",
        "nvaha.watch.standbys:Standbys._yield_to_sight",
        replace("blind_s < LEASE_S", by="blind_s <= 0.0"),
    ),
    Mutant(
        "gives-up-for-the-blind",
        "a leader gives the lease up only for one that somebody answers",
        "nvaha.watch.standbys:Standbys._yield_to_sight",
        replace("sees(each, now)", by="True"),
        tests=SIGHT,
    ),
    Mutant(
        "gives-up-for-the-past",
        "what another saw before the leader was blind may have gone for everybody",
        "nvaha.watch.standbys:Standbys._yield_to_sight",
        replace("each.seen_at > since", by="True"),
        simulated=False,
    ),
    Mutant(
        "sees-without-an-answer",
        "who claims to see has been answered",
        "nvaha.watch.sight:Sight.look",
        replace("sum(answers)", by="len(answers)"),
        tests=SIGHT,
    ),
    Mutant(
        "taken-back-at-once",
        "who gave the lease up for being blind does not ask for it for a while",
        "nvaha.watch.monitor:Monitor._campaign",
        replace("not await self._abstention.over()", by="False"),
        tests=SIGHT,
    ),
    Mutant(
        "empty-chair",
        "who abstains leads all the same once nobody else does",
        "nvaha.watch.abstention:Abstention.over",
        replace("not await self._somebody_leads()", by="False"),
        tests=SIGHT,
    ),
    Mutant(
        "no-longer-each-time",
        "who gives the lease up again and again abstains the longer",
        "nvaha.watch.abstention:Abstention.begin",
        replace("min(2 * self._length_s, LONGEST_S)", by="FIRST_S"),
        simulated=False,
    ),
    Mutant(
        "abstainer-stands-by",
        "who abstains is no standby",
        "nvaha.core.instances:campaigns",
        replace("not record.abstains", by="True"),
        simulated=False,
    ),
)

STANDING_BY = (
    Mutant(
        "old-row-stands-by",
        "an instance whose row nobody writes any more is no standby",
        "nvaha.core.instances:campaigns",
        replace("lately(record.written_at, now)", by="True"),
        simulated=False,
    ),
    Mutant(
        "unanswered-stands-by",
        "an instance that storage does not answer about the lease is no standby",
        "nvaha.core.instances:campaigns",
        replace("lately(record.campaign_at, now)", by="True"),
        simulated=False,
    ),
    Mutant(
        "another-configuration-stands-by",
        "who would decide by another configuration is no standby",
        "nvaha.core.instances:could_lead",
        replace("record.configuration == configuration", by="True"),
        simulated=False,
    ),
    Mutant(
        "policy-makes-no-difference",
        "instances with other policies or probes know that of each other",
        "nvaha.model.configured:Configuration.__post_init__",
        replace("(decided, targets)", by="targets"),
        simulated=False,
    ),
    Mutant(
        "alone-for-ever",
        "where nobody has stood by for a day nobody is missed",
        "nvaha.watch.standbys:Standbys._tell_lack",
        replace("now - self.seen_at <= MISSED_FOR", by="True"),
        simulated=False,
    ),
    Mutant(
        "predecessor-forgotten",
        "a new leader misses the standbys that the one before had",
        "nvaha.watch.standbys:Standbys.recall",
        drop("self.seen_at, self.alone = (before.standby_at, before.alone)"),
        simulated=False,
    ),
    Mutant(
        "silence-is-a-lack",
        "rows that were not read, or not written, for a moment tell of no lack",
        "nvaha.watch.standbys:Standbys._tell_lack",
        replace("monotonic - self._none_since >= LACKING_S", by="True"),
        simulated=False,
    ),
    Mutant(
        "rows-kept-for-ever",
        "the rows of instances that are gone are removed",
        "nvaha.watch.standbys:Standbys._sweep",
        drop("await self._ports.store.forget_instances(self._clock.now() - KEPT_FOR)"),
        simulated=False,
    ),
    Mutant(
        "row-ends-the-watch",
        "whatever is wrong with an instance's row ends no watch",
        "nvaha.watch.presence:Presence._try_to_write",
        replace("Exception", by="ZeroDivisionError"),
        simulated=False,
    ),
    Mutant(
        "other-app-is-this-one",
        "an app's own health is that of its own monitors",
        "nvaha.operate.control:Control._look_for_own",
        replace("each.app == self._app", by="True"),
        simulated=False,
    ),
    Mutant(
        "old-release-is-this-one",
        "an app's own health is that of the release that is asked for",
        "nvaha.operate.control:Control.campaigns",
        replace("version in await self._campaigning.get()", by="bool(await self._campaigning.get())"),
        simulated=False,
    ),
    Mutant(
        "ends-what-it-tells-itself",
        "what a follower ends is of the epochs before: the leader's own word goes before it",
        "nvaha.core.present:elsewhere",
        replace("epoch - 1", by="epoch"),
        simulated=False,
    ),
    Mutant(
        "ends-it-for-one-who-is-gone",
        "what is told of a group ends only where another leads now",
        "nvaha.watch.following:Following._tell",
        replace("lately(leader.round_at, now)", by="True"),
        simulated=False,
    ),
    Mutant(
        "following-ends-the-watch",
        "whatever is wrong with the leader's record ends no watch of a follower's",
        "nvaha.watch.following:Following._try_to_tell",
        replace("Exception", by="ZeroDivisionError"),
        simulated=False,
    ),
    Mutant(
        "follows-while-it-leads",
        "who leads tells no second sign of life beside its heartbeat",
        "nvaha.watch.following:Following.run",
        replace("not self._lease.valid", by="True"),
        simulated=False,
    ),
)
