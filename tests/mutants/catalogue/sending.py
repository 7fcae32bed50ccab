"""What receivers are sent: never in a switch's way, and none of it lost."""

from __future__ import annotations

from tests.mutants.change import replace
from tests.mutants.mutant import Mutant

DELIVERIES = ("tests/unit/watch/test_deliveries.py",)
RECEIVERS = ("tests/unit/test_receivers.py",)
TOPICS = ("tests/unit/test_receivers_event_grid.py",)

SENDING: tuple[Mutant, ...] = (
    Mutant(
        "observed-and-moved",
        "a configuration that is imported to observe moves nothing by itself",
        "nvaha.config.native:_observing",
        replace("automatic=False", by="automatic=policy.automatic"),
        simulated=False,
        tests=("tests/unit/test_cli_offline.py",),
    ),
    Mutant(
        "sent-while-deciding",
        "a receiver never delays a switch: nobody who decides waits for one",
        "nvaha.state.commit:Committer._follow",
        replace(
            "await self._answered(state, self._ports.queue.send(send))",
            by="""for each in state.unsent if self._ports.receivers.known else ():
    await self._ports.receivers.send(self._ports.receivers.known[0], each)
await self._answered(state, self._ports.queue.send(send))""",
        ),
        simulated=False,
        tests=DELIVERIES,
    ),
    Mutant(
        "tick-waits-for-a-receiver",
        "a receiver never delays a probe: a tick ends without what is on its way",
        "nvaha.watch.deliveries:Deliveries._serve",
        replace(
            "await asyncio.wait({line.flying[1]})",
            by="""try:
    await asyncio.wait({line.flying[1]})
except asyncio.CancelledError:
    await line.flying[1]
    raise""",
        ),
        simulated=False,
        tests=DELIVERIES,
    ),
    Mutant(
        "cut-off-and-sent-twice",
        "what is on its way when a tick ends goes on",
        "nvaha.watch.deliveries:Deliveries._serve",
        replace("await asyncio.wait({line.flying[1]})", by="await line.flying[1]"),
        simulated=False,
        tests=DELIVERIES,
    ),
    Mutant(
        "unsent-not-in-the-state",
        "what is to be sent of a decision is written with it",
        "nvaha.state.commit:Committer._write",
        replace("unsent=self._unsent(state, news)", by="unsent=state.unsent"),
        simulated=False,
        tests=DELIVERIES,
    ),
    Mutant(
        "not-taken-and-forgotten",
        "what a receiver did not take is sent again",
        "nvaha.watch.deliveries:Deliveries._landed",
        replace("error is None", by="True"),
        simulated=False,
        tests=DELIVERIES,
    ),
    Mutant(
        "taken-and-sent-again",
        "what was taken is not sent again by who knows that",
        "nvaha.watch.deliveries:Deliveries._next",
        replace("(each.id, receiver.name) in self._done", by="False"),
        simulated=False,
        tests=DELIVERIES,
    ),
    Mutant(
        "sent-by-everybody",
        "only who leads sends what stands in states",
        "nvaha.watch.deliveries:Deliveries._waiting",
        replace("self._lease.valid", by="True"),
        simulated=False,
        tests=DELIVERIES,
    ),
    Mutant(
        "redirect-followed",
        "what is sent goes where the configuration says and nowhere else",
        "nvaha.receivers.https:_post",
        replace("allow_redirects=False", by="allow_redirects=True"),
        simulated=False,
        tests=RECEIVERS,
    ),
    Mutant(
        "token-sent-anywhere",
        "a token of the app's identity goes to no host but a topic of its own cloud",
        "nvaha.receivers.event_grid:trouble",
        replace('host.endswith(f".{access.domain}")', by="bool(host)"),
        simulated=False,
        tests=TOPICS,
    ),
    Mutant(
        "looked-up-by-the-loop",
        "a receiver's name that nobody resolves holds no thread that the lease may need",
        "nvaha.receivers.https:_Resolver.resolve",
        replace("_LOOKUPS", by="None"),
        simulated=False,
        tests=RECEIVERS,
    ),
)
