"""Rules of who goes without when there is too little for all: ARM's reads, connections, the host's places."""

from __future__ import annotations

from tests.mutants.catalogue.asked import BUDGETS, LANES, REQUESTS, THROTTLINGS, WIRINGS
from tests.mutants.change import drop, replace
from tests.mutants.mutant import Mutant

SHARING = (
    Mutant(
        "plans-before-switches",
        "a plan leaves reads to looks and switches",
        "nvaha.azure.arm.budget:Purpose",
        replace("_Share(leaves=150.0, at_once=8)", by="_Share(leaves=0.0, at_once=8)"),
        simulated=False,
        tests=BUDGETS,
    ),
    Mutant(
        "looks-before-switches",
        "a look leaves reads to switches",
        "nvaha.azure.arm.budget:Purpose",
        replace("_Share(leaves=75.0, at_once=16)", by="_Share(leaves=0.0, at_once=16)"),
        simulated=False,
        tests=BUDGETS,
    ),
    Mutant(
        "switches-wait",
        "the read of a switch waits for no budget",
        "nvaha.azure.arm.budget:Budget.read",
        replace(
            "if purpose is not Purpose.SWITCH: await self._turn(purpose, resource_id)",
            by="await self._turn(Purpose.LOOK, resource_id)",
        ),
        simulated=False,
        tests=BUDGETS,
    ),
    Mutant(
        "connections-not-shared-out",
        "connections are kept for switches",
        "nvaha.azure.arm.budget:Budget.__init__",
        replace(
            "{each: asyncio.Semaphore(each.value.at_once) for each in Purpose}",
            by="dict.fromkeys(Purpose, asyncio.Semaphore(24))",
        ),
        simulated=False,
        tests=BUDGETS,
    ),
    Mutant(
        "others-not-counted",
        "what ARM says is left counts, whoever used the rest",
        "nvaha.azure.arm.budget:Budget.learn",
        replace("min(level.left, float(remaining))", by="level.left"),
        simulated=False,
        tests=BUDGETS,
    ),
    Mutant(
        "throttled-goes-on",
        "after a throttled read looks and plans stay away",
        "nvaha.azure.arm.client:ArmClient.read",
        replace("error.fault is NetworkFault.THROTTLED", by="False"),
        simulated=False,
        tests=REQUESTS,
    ),
    Mutant(
        "busy-taken-for-throttled",
        "a 429 for another operation on the resource is no throttling",
        "nvaha.azure.arm.client:ArmClient.read",
        replace("error.fault is NetworkFault.THROTTLED", by="True"),
        simulated=False,
        tests=REQUESTS,
    ),
    Mutant(
        "wait-without-cap",
        "Retry-After is obeyed for half a minute at most: by looks and plans",
        "nvaha.azure.arm.budget:Budget.learn",
        replace("min(throttled_s, LONGEST_WAIT_S)", by="throttled_s"),
        simulated=False,
        tests=BUDGETS,
    ),
    Mutant(
        "read-waits-without-cap",
        "Retry-After is obeyed for half a minute at most: by the reads of a switch",
        "nvaha.switch.attempt:Attempt._read",
        replace("min(max(least_s, retry_after_s), LONGEST_WAIT_S)", by="max(least_s, retry_after_s)"),
        simulated=False,
    ),
    Mutant(
        "write-waits-without-cap",
        "Retry-After is obeyed for half a minute at most: by the writes of a switch",
        "nvaha.switch.apply:_Tries.another",
        replace("min(asked_s, LONGEST_WAIT_S)", by="asked_s"),
        simulated=False,
    ),
    Mutant(
        "poll-waits-without-cap",
        "Retry-After is obeyed for half a minute at most: by polls",
        "nvaha.azure.arm.operation:_Word.wait_s",
        replace(
            "min(asked_s or (_THROTTLED_PAUSE_S if self.throttled else 0.0), LONGEST_WAIT_S)",
            by="asked_s or (_THROTTLED_PAUSE_S if self.throttled else 0.0)",
        ),
        simulated=False,
        tests=("tests/unit/test_azure_following.py",),
    ),
    Mutant(
        "throttled-reads-fail-a-switch",
        "a switch does not fail because some reads are throttled",
        "nvaha.switch.attempt:Attempt._read",
        replace("snapshot.throttled and clock.monotonic() < throttled_until", by="False"),
        simulated=False,
        tests=THROTTLINGS,
    ),
    Mutant(
        "throttling-without-end",
        "throttling is waited out for so long and not for ever",
        "nvaha.switch.apply:_Tries.another",
        replace("throttled and self._clock.monotonic() < self._throttled_until", by="throttled"),
        simulated=False,
    ),
    Mutant(
        "throttled-writes-fail-a-switch",
        "a write that is only throttled costs no try",
        "nvaha.switch.apply:_Tries.another",
        replace("throttled and self._clock.monotonic() < self._throttled_until", by="False"),
        simulated=False,
    ),
    Mutant(
        "commands-shared",
        "what is commanded is done for each by himself",
        "nvaha.web.api:Api._command",
        replace(
            "await self._commands.alone(lambda: self._answer(request, call, status=status, of=of))",
            by="(await self._commands.shared("
            "'', lambda: self._answer(request, call, status=status, of=of)))[0]",
        ),
        simulated=False,
        tests=LANES,
    ),
    Mutant(
        "plans-keep-their-places",
        "a switch's reads go first: they are handed out for a switch",
        "nvaha.app.wiring:App.__init__",
        replace("Switcher(configuration, ports, instance)", by="Switcher(configuration, planning, instance)"),
        simulated=False,
        tests=WIRINGS,
    ),
    Mutant(
        "status-not-as-asked",
        "nobody is shown less than he knows: a reading that began before he asked is not his",
        "nvaha.web.lanes:Lane.shared",
        replace("reading.began_at > since", by="True"),
        simulated=False,
        tests=LANES,
    ),
    Mutant(
        "everybody-waits",
        "who is too many is told so at once",
        "nvaha.web.lanes:Lane._asker",
        drop("self._free -= 1"),
        simulated=False,
        tests=LANES,
    ),
    Mutant(
        "half-a-plan-shown",
        "a plan of which a part was throttled is not shown",
        "nvaha.operate.control:Control._snapshot",
        replace("snapshot.throttled", by="False"),
        simulated=False,
    ),
    Mutant(
        "failed-read-keeps-its-place",
        "a read that fails leaves its place to the next",
        "nvaha.azure.arm.budget:Budget.read",
        replace(
            """
try:
    yield
finally:
    places.release()
""",
            by="yield; places.release()",
        ),
        simulated=False,
        tests=BUDGETS,
    ),
    Mutant(
        "histories-of-any-length-shared",
        "a history of another length is another question",
        "nvaha.web.api:Api.history",
        replace("('history', name, limit)", by="('history', name)"),
        simulated=False,
        tests=LANES,
    ),
    Mutant(
        "place-of-nobody-given-back",
        "who got no place gives none back",
        "nvaha.web.lanes:Lane._turn",
        replace("raise Crowded from None", by="self._places.release(); raise Crowded from None"),
        simulated=False,
        tests=LANES,
    ),
)
