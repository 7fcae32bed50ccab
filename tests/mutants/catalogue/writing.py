"""Rules of one attempt at a switch: its fence, its record, its writes, its public IPs, its end."""

from __future__ import annotations

from tests.mutants.catalogue.asked import GOES_ON, PUBLIC_IPS, REPORTS
from tests.mutants.change import constant, drop, replace
from tests.mutants.mutant import Mutant

WRITING = (
    Mutant(
        "intent-not-recorded",
        "what is about to be written is recorded first",
        "nvaha.switch.apply:Applier._cleared",
        drop("await self._record.started(step.key)"),
    ),
    Mutant(
        "fence-not-last",
        "the fence is passed right before the write",
        "nvaha.switch.apply:Applier._cleared",
        replace(
            "if look == 0: await self._record.started(step.key)",
            by="""await self._fence()
if look == 0: await self._record.started(step.key)""",
        ),
        drop("await self._fence()"),
    ),
    Mutant(
        "retry-without-reading",
        "a write is tried again on a fresh copy only",
        "nvaha.switch.apply:Applier._carry_out",
        replace("error is not None", by="False"),
    ),
    Mutant(
        "changed-taken-for-done",
        "a 412 is no success",
        "nvaha.switch.apply:Applier._carry_out",
        replace(
            "error = failure",
            by="""error = failure
if isinstance(failure, NetworkError) and failure.fault is NetworkFault.CHANGED: break""",
        ),
    ),
    Mutant(
        "old-copies-written",
        "a resource is written only right after it was read",
        "nvaha.switch.apply",
        constant("FRESH_S", 1e9),
    ),
    Mutant(
        "copy-stamped-late",
        "a copy's age counts from before it was asked for",
        "nvaha.switch.apply:Applier._current",
        replace("asked_at", by="self._clock.monotonic()"),
    ),
    Mutant(
        "attached-without-its-detach",
        "a public IP whose detach did not succeed is not attached",
        "nvaha.switch.apply:Applier.apply.run",
        replace("key in applied.refused or key in applied.unanswered", by="False"),
    ),
    Mutant(
        "done-steps-planned-again",
        "a step that is done stays done on record",
        "nvaha.switch.record:OperationRecorder.plan",
        replace("old.status is not StepStatus.DONE", by="True"),
    ),
)

ATTEMPTING = (
    Mutant(
        "no-generation-check",
        "a switch runs only while the state says so",
        "nvaha.model.recorded:GroupState.under_way",
        replace("self.generation == generation", by="True"),
        replace("self.switch.request.operation == operation", by="True"),
        tests=REPORTS,
    ),
    Mutant(
        "no-lease-check",
        "the lease is checked before a write",
        "nvaha.switch.attempt:Attempt._fence",
        drop("self.lease.check()"),
    ),
    Mutant(
        "waits-past-its-lease",
        "a write is not waited for after the lease has run out",
        "nvaha.switch.attempt:Attempt._alive",
        drop("self.lease.check()"),
    ),
    Mutant(
        "not-verified",
        "a switch is done when it was read back as planned",
        "nvaha.switch.attempt:Attempt._converge",
        replace(
            "refused, unanswered = applied.refused, applied.unanswered",
            by="""refused, unanswered = applied.refused, applied.unanswered
if not refused and not unanswered: return Left()""",
        ),
    ),
    Mutant(
        "fence-ends-in-silence",
        "a look at the state that is not answered ends no attempt while its lease stands",
        "nvaha.switch.attempt:Attempt._fence",
        replace(
            "await self._answered(lambda: self.ports.store.load(self.group.name))",
            by="await self.ports.store.load(self.group.name)",
        ),
        tests=GOES_ON,
    ),
    Mutant(
        "record-ends-in-silence",
        "a record that is not answered ends no attempt while its lease stands",
        "nvaha.switch.attempt:Attempt._work",
        replace(
            "OperationRecorder(self.ports, operation, self._answered, lost=lost)",
            by="OperationRecorder(self.ports, operation, lost=lost)",
        ),
        tests=GOES_ON,
    ),
    Mutant(
        "watch-ends-in-silence",
        "a report of progress that is not answered ends no attempt while its lease stands",
        "nvaha.switch.attempt:Attempt._report",
        replace(
            "await self._answered(lambda: self.committer.commit(self.group, report))",
            by="await self.committer.commit(self.group, report)",
        ),
        tests=GOES_ON,
    ),
    Mutant(
        "half-begun",
        "a planned move that cannot be whole is not begun",
        "nvaha.switch.attempt:Attempt._converge",
        replace("number == 0 and optional and stops", by="False"),
        tests=PUBLIC_IPS,
    ),
    Mutant(
        "asked-although-not-whole",
        "a planned move that cannot be whole asks nothing either",
        "nvaha.switch.attempt:Attempt._converge",
        replace("number == 0 and not doubtful", by="number == 0"),
    ),
    Mutant(
        "begun-and-left",
        "a planned move that an earlier attempt has begun goes on",
        "nvaha.switch.attempt:Attempt._converge",
        replace("free and record.untouched", by="free"),
    ),
    Mutant(
        "force-needs-all",
        "force moves what can be moved",
        "nvaha.switch.attempt:Attempt._converge",
        replace("not request.forced", by="True"),
    ),
    Mutant(
        "finishing-is-a-choice",
        "what finishes a switch that failed half-way moves what can be moved",
        "nvaha.switch.attempt:Attempt._converge",
        replace("not request.finishes", by="True"),
    ),
    Mutant(
        "asked-is-touched",
        "an attach that was only asked for has moved nothing",
        "nvaha.switch.record:OperationRecorder.untouched",
        replace("step.kind == 'attach'", by="False"),
    ),
    Mutant(
        "other-configuration-works",
        "a worker with another configuration than the leader moves nothing",
        "nvaha.switch.worker:Switcher._run",
        replace("not state.is_led_with(group.fingerprint)", by="False"),
    ),
)

MOVING_PUBLIC_IPS = (
    Mutant(
        "attach-not-asked",
        "an attach is asked for before the detach where the old NVA works",
        "nvaha.switch.attempt:Attempt._converge",
        drop("kept |= await applier.try_attaches(asked, snapshot, again)"),
        tests=PUBLIC_IPS,
    ),
    Mutant(
        "asked-of-the-dead",
        "a dead NVA's public IPs are taken off without asking",
        "nvaha.switch.attempt:Attempt._to_be_asked",
        replace("healthy(self.state.nvas.get(nics[step.key], NvaState()))", by="True"),
    ),
    Mutant(
        "in-use-is-no",
        "that a public IP is in use elsewhere means that it would be taken",
        "nvaha.switch.apply:Applier.try_attaches.try_",
        replace("failure.fault is NetworkFault.IN_USE", by="False"),
    ),
    Mutant(
        "refused-attach-detaches",
        "a refused attach leaves the public IP where it is",
        "nvaha.switch.attempt:_without",
        replace("step.key not in spared", by="True"),
    ),
    Mutant(
        "refused-taken-off-again",
        "a public IP that the target has refused once it was free stays where it works",
        "nvaha.switch.attempt:Attempt._converge",
        drop("kept |= self._staying(asked)"),
    ),
    Mutant(
        "not-put-back",
        "a public IP that was taken off and is refused is put back",
        "nvaha.switch.attempt:Attempt._left",
        replace("self._taken_from(record, request).items()", by="()"),
        tests=PUBLIC_IPS,
    ),
    Mutant(
        "put-back-onto-the-dead",
        "a public IP is not put back onto an NVA that does not answer",
        "nvaha.switch.attempt:Attempt._put_back",
        replace("not healthy(held.state.nvas.get(name, NvaState()))", by="False"),
    ),
)
