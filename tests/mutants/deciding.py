"""Mutants of what decides: health, leases, states and the monitor."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, core

MUTANTS: tuple[Mutant, ...] = (
    core(
        "epoch-ignored",
        "a deposed leader stops",
        "decide",
        "if before.epoch > happened.epoch:",
        "if before.epoch < 0:",
        "decide",
    ),
    core(
        "failures-not-reset",
        "a success ends a row of failures",
        "health",
        "            failures=0,\n            confirmed=0,",
        "            failures=nva.failures,\n            confirmed=nva.confirmed,",
        "health",
    ),
    core(
        "not-queued-again",
        "a switch without progress is queued again",
        "switching",
        "    return Decision(state, send=request, notices=tuple(notices))\n\n\ndef reported",
        "    return Decision(state, notices=tuple(notices))\n\n\ndef reported",
        "switching",
    ),
    core(
        "hold-down-ignored",
        "no automatic switch starts in hold-down",
        "switching",
        "        if now < until:\n",
        "        if now < until - timedelta(days=1):\n",
        "switching",
    ),
    core(
        "blind-guard-off",
        "a blind monitor's failures are not believed",
        "monitor",
        "        await self._decide(group, watch, Probed(self._tenure.epoch, readings, blind))",
        "        await self._decide(group, watch, Probed(self._tenure.epoch, readings, blind=False))",
    ),
    core(
        "released-lease-remembered",
        "a lease that was given up is not relied on",
        "tenure",
        "        grant, self._grant = self._grant, None\n",
        "        grant = self._grant\n",
        "tenure",
    ),
    core(
        "flap-limit-ignored",
        "no automatic switch starts past the flap limit",
        "switching",
        "    if len(recent(state.switches, now)) >= policy.max_switches_per_hour:",
        "    if len(recent(state.switches, now)) >= 10**6:",
        "switching",
    ),
    core(
        "pause-ignored",
        "a paused group is not switched by itself",
        "switching",
        "    if state.paused:\n",
        "    if False:\n",
        "switching",
    ),
    core(
        "any-candidate",
        "traffic is moved only to an NVA that is up",
        "switching",
        "if name != leaving and healthy(state.nvas[name])",
        "if name != leaving",
        "switching",
    ),
    core(
        "last-failure-overlooked",
        "an NVA whose last probe failed is no candidate",
        "health",
        "    return nva.health is Health.UP and nva.failures == 0",
        "    return nva.health is Health.UP",
        "health",
    ),
    core(
        "one-failure-is-down",
        "an NVA is down after `fall` failures",
        "health",
        "failures >= spec.fall\n",
        "failures >= 1\n",
        "health",
    ),
    core(
        "lease-stamped-late",
        "a lease counts from before its request was sent",
        "tenure",
        "        self._stamp(sent_at)\n\n    async def keep",
        "        self._stamp(self._clock.monotonic())\n\n    async def keep",
        "tenure",
    ),
    core(
        "lease-overstayed",
        "a lease is not relied on to its very end",
        "tenure",
        "self._leases.duration_s - MARGIN_S",
        "self._leases.duration_s + MARGIN_S",
        "tenure",
    ),
    core(
        "records-left-open",
        "every operation ends in a record",
        "commit",
        "[each for each in state.closings if not await self._answered(state, self._close(each))]",
        "[]",
        "commit",
    ),
    core(
        "record-never-made",
        "an operation whose maker died is recorded all the same",
        "commit",
        "        if operation is None and closing.request is not None:\n",
        "        if operation is None and closing.request is None:\n",
        "commit",
    ),
    core(
        "epoch-not-stamped",
        "a new leader stamps its epoch before its first round",
        "decide",
        "            return Decision(replace(before, epoch=happened.epoch, fingerprint=group.fingerprint))",
        "            return Decision(replace(before, fingerprint=group.fingerprint))",
        "decide",
    ),
    core(
        "back-off-ignored",
        "a switch that failed is not tried again at once",
        "switching",
        "    if state.retry_at is not None and now < state.retry_at:",
        "    if state.retry_at is not None and now < state.retry_at - timedelta(days=1):",
        "switching",
    ),
    core(
        "request-id-forgotten",
        "a repeated request id leads to the same operation",
        "decide",
        "request_id == command.request_id:",
        "request_id == command.to:",
        "decide",
    ),
    Mutant(
        "decided-on-old-health",
        "only a reading of its own lets a leader switch",
        "nvaha/decide.py",
        (
            (
                "            return _network_read(group, before, happened)\n",
                "            return _network_read(group, before, happened, now)\n",
            ),
            (
                "def _network_read(group: Group, before: GroupState, happened: NetworkRead) -> Decision:",
                """def _network_read(
    group: Group, before: GroupState, happened: NetworkRead, now: datetime
) -> Decision:""",
            ),
            (
                """        notices.append(notice("drift_found", "warning", text, group, nva=state.active))
    return Decision(state, notices=tuple(notices))
""",
                """        notices.append(notice("drift_found", "warning", text, group, nva=state.active))
    return _consider(group, state, now, notices, blind=False)
""",
            ),
        ),
        tests=("tests/unit/test_decide.py",),
    ),
    core(
        "witnesses-not-asked",
        "a monitor is blind only when those that answered last are silent too",
        "sight",
        "                blind = not await self._reachable(tuple(self._witnesses))\n",
        "                blind = True\n",
        "sight",
    ),
    Mutant(
        "sight-from-when-it-was-due",
        "a round counts from when it really began",
        "nvaha/monitor.py",
        (("await self._round(group, watch, began)", "await self._round(group, watch, start)"),),
        tests=("tests/simulation/test_scenarios.py",),
    ),
    core(
        "unguarded-commit",
        "a leader writes nothing after its lease has run out",
        "commit",
        "            if guard is not None:\n",
        "            if guard is not None and held is None and before.generation < 0:\n",
        "commit",
    ),
    core(
        "deadline-ignored",
        "a switch that is not done by its deadline fails",
        "switching",
        "> group.policy.deadline_s:",
        "> 1e9:",
        "switching",
    ),
    core(
        "repair-limit-ignored",
        "repairs have a flap limit of their own",
        "switching",
        "    if len(recent(state.repairs, now)) >= policy.max_switches_per_hour:",
        "    if len(recent(state.repairs, now)) >= 10**6:",
        "switching",
    ),
    core(
        "switch-overridden-at-once",
        "force overrides a switch under way only when nobody carries it out",
        "decide",
        "    overrides = command.force and stalled(state, now)",
        "    overrides = command.force",
        "decide",
    ),
    core(
        "drift-believed-at-once",
        "drift is acted on when it was seen twice",
        "decide",
        "    repairable = state.drift_seen >= 2",
        "    repairable = state.drift_seen >= 1",
        "decide",
    ),
    core(
        "stale-report-believed",
        "a report on another generation changes nothing",
        "switching",
        """        or not mine
        or before.phase is not Phase.SWITCHING
        or before.generation != report.generation
""",
        """        or before.phase is not Phase.SWITCHING
""",
        "switching",
    ),
    core(
        "half-switch-discovered",
        "what was read in the middle of a switch says nothing after it",
        "decide",
        "    if happened.standing not in (None, (before.phase, before.generation)):",
        "    if happened.standing == ():",
        "decide",
        simulated=False,
    ),
)
