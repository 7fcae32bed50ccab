"""Rules of how decisions are made to last: commits, leases, reads of the network, rows."""

from __future__ import annotations

from tests.mutants.catalogue.asked import ANSWERS, COMMITS, GOES_ON, ILLEGIBLE, WILD_ROWS
from tests.mutants.change import constant, drop, replace
from tests.mutants.mutant import Mutant

COMMITTING = (
    Mutant(
        "adopted-not-raised",
        "whatever the old side has in hand is older than what was taken over from it",
        "nvaha.core.recovery:adopted",
        replace("exported.generation + RAISED_BY", by="exported.generation"),
        simulated=False,
    ),
    Mutant(
        "pause-not-adopted",
        "a pause is taken over",
        "nvaha.core.recovery:adopted",
        replace("exported.paused", by="False"),
        simulated=False,
    ),
    Mutant(
        "newer-state-overwritten",
        "a newer state is not overwritten by an export",
        "nvaha.core.recovery:adopts",
        replace("there.generation == 0", by="True"),
        simulated=False,
    ),
    Mutant(
        "unguarded-commit",
        "a leader writes nothing after its lease has run out",
        "nvaha.state.commit:Committer.commit",
        drop("guard()"),
    ),
    Mutant(
        "unguarded-told",
        "a leader whose lease has run out does not write that it has told, either",
        "nvaha.state.commit:Committer._told",
        drop("guard()"),
    ),
    Mutant(
        "own-write-a-conflict",
        "an own write that meets itself is recognized by its id",
        "nvaha.state.commit:Committer.commit",
        replace(
            "if done is not None: return done",
            by="""if done is not None: return done
if unanswered == 0: tried.clear()""",
        ),
        tests=ANSWERS,
    ),
    Mutant(
        "own-write-lost",
        "an own write whose answer is lost is recognized by its id",
        "nvaha.state.commit:Committer.commit",
        replace("unanswered += 1", by="unanswered += 1; tried.clear()"),
    ),
    Mutant(
        "silence-told-at-once",
        "a write that was not answered is looked for before its caller is told",
        "nvaha.state.commit:Committer.commit",
        replace("unanswered >= MAX_UNANSWERED", by="True"),
    ),
    Mutant(
        "write-ids-forgotten",
        "the ids of the last few writes are kept",
        "nvaha.state.commit:Committer._write",
        replace("ids[-KEPT_WRITE_IDS:]", by="ids[-1:]"),
        tests=ANSWERS,
    ),
    Mutant(
        "notices-not-in-the-state",
        "a notice is in the state before it is told",
        "nvaha.state.commit:Committer._write",
        replace("untold=untold[-MOST_UNTOLD:]", by="untold=()"),
        replace(
            "return await self._written(Versioned(state, written), decision, guard)",
            by="""for each in decision.notices: self._ports.notifier.notify(each)
return await self._written(Versioned(state, written), decision, guard)""",
        ),
        tests=ANSWERS,
    ),
    Mutant(
        "untold-for-good",
        "notices are told from the state, whoever put them there",
        "nvaha.state.commit:Committer.settle",
        replace("await uninterrupted(self._follow(held, None, guard))", by="held"),
        tests=ANSWERS,
    ),
    Mutant(
        "told-again",
        "a notice that was told is taken out of the state",
        "nvaha.state.commit:Committer._told",
        replace("state = replace(held.state, untold=())", by="state = held.state"),
    ),
    Mutant(
        "commit-interrupted",
        "a commit is not interrupted between the write and what follows",
        "nvaha.state.commit:Committer.commit",
        replace(
            "done = await uninterrupted(self._write(held, decision, write_id, guard))",
            by="done = await self._write(held, decision, write_id, guard)",
        ),
        tests=ANSWERS,
    ),
    Mutant(
        "left-before-its-end",
        "whoever is cancelled in what must not be interrupted waits for its end",
        "nvaha.concurrency:uninterrupted",
        drop("if not task.done(): await asyncio.wait({task})"),
        tests=COMMITS,
    ),
    Mutant(
        "old-message-sent",
        "only the switch under way gets a message",
        "nvaha.state.commit:Committer._written",
        replace("decision.send == held.state.request", by="True"),
        tests=ANSWERS,
    ),
    Mutant(
        "one-duty-ends-the-others",
        "what cannot be done of what follows keeps nothing else from being done",
        "nvaha.state.commit:Committer._answered",
        replace("return False", by="raise"),
    ),
    Mutant(
        "records-left-open",
        "every operation ends in a record",
        "nvaha.state.commit:Committer._follow",
        replace("state.closings", by="()"),
    ),
    Mutant(
        "record-never-made",
        "an operation whose maker died is recorded all the same",
        "nvaha.state.commit:Committer._close",
        replace("closing.request is not None", by="False"),
    ),
    Mutant(
        "illegible-record-in-the-way",
        "an operation's record that cannot be read is in nothing's way",
        "nvaha.state.commit:recorded",
        replace("StateUnreadable", by="()"),
        tests=ILLEGIBLE,
        simulated=False,
    ),
    Mutant(
        "newer-record-overwritten",
        "an operation's record of a newer release is left as it is",
        "nvaha.state.commit:recorded",
        replace("error.newer", by="False"),
        tests=ILLEGIBLE,
        simulated=False,
    ),
    Mutant(
        "illegible-means-untouched",
        "what an illegible record may have begun is not called not begun",
        "nvaha.switch.record:OperationRecorder.untouched",
        replace("not self.lost", by="True"),
        tests=ILLEGIBLE,
        simulated=False,
    ),
    Mutant(
        "illegible-loses-a-public-ip",
        "a public IP that an illegible record may have taken off goes back",
        "nvaha.switch.attempt:Attempt._taken_from",
        replace("record.lost", by="False"),
        tests=ILLEGIBLE,
        simulated=False,
    ),
    Mutant(
        "illegible-asked-again",
        "what was answered and cannot be read is not waited for",
        "nvaha.switch.attempt:Attempt._answered",
        replace("StateUnreadable", by="()"),
        tests=ILLEGIBLE,
        simulated=False,
    ),
    Mutant(
        "ended-again",
        "an operation that has ended on record stays ended",
        "nvaha.state.commit:Committer._close",
        replace("operation.status.ended", by="False"),
    ),
    Mutant(
        "lost-lease-holds-back",
        "a lease that ends once a switch is written holds back no message",
        "nvaha.state.commit:Committer._told",
        replace("(StoreUnavailable, LeaseLost)", by="StoreUnavailable"),
        simulated=False,
        tests=COMMITS,
    ),
    Mutant(
        "newest-notice-lost",
        "of too many notices the oldest give way",
        "nvaha.state.commit:Committer._write",
        replace("untold[-MOST_UNTOLD:]", by="untold[:MOST_UNTOLD]"),
        simulated=False,
        tests=COMMITS,
    ),
    Mutant(
        "message-before-record",
        "the record stands before the message is sent",
        "nvaha.state.commit:Committer._follow",
        replace(
            "await asyncio.gather(self._told(held, guard), self._answered(state, self._begin(send)))",
            by="await asyncio.gather(self._told(held, guard), "
            "self._answered(state, asyncio.ensure_future(self._ports.queue.send(send))), "
            "self._answered(state, self._begin(send)))",
        ),
        simulated=False,
        tests=("tests/unit/state/test_commit.py",),
    ),
)

HOLDING = (
    Mutant(
        "lease-stamped-late",
        "a lease counts from before its request was sent",
        "nvaha.state.lease:HeldLease.acquire",
        replace("sent_at", by="self._clock.monotonic()"),
    ),
    Mutant(
        "renewal-stamped-late",
        "a renewed lease counts from before its request was sent",
        "nvaha.state.lease:HeldLease.renew",
        replace("self._stamp(sent_at)", by="self._stamp(self._clock.monotonic())"),
    ),
    Mutant(
        "lease-overstayed",
        "a lease is not relied on to its very end",
        "nvaha.state.lease:HeldLease._stamp",
        replace("LEASE_MARGIN_S", by="-LEASE_MARGIN_S"),
    ),
    Mutant(
        "released-lease-remembered",
        "a lease that was given up is not relied on",
        "nvaha.state.lease:HeldLease.release",
        replace("self._grant, None", by="self._grant, self._grant"),
    ),
    Mutant(
        "seen-epoch-kept",
        "a lease whose epoch others have seen is given up for a newer one",
        "nvaha.state.lease:HeldLease.acquire",
        replace("self._grant.epoch <= at_least", by="False"),
    ),
    Mutant(
        "late-renewal-untold",
        "a renewal that comes late is told",
        "nvaha.state.lease:HeldLease.renew",
        replace("left_s < LATE_S", by="False"),
        simulated=False,
    ),
    Mutant(
        "silence-ends-the-lease",
        "a renewal that is not answered ends nothing while the lease stands",
        "nvaha.state.lease:HeldLease.keep",
        replace("unanswered = True", by="raise"),
        tests=GOES_ON,
    ),
    Mutant(
        "lost-lease-remembered",
        "a lease that storage calls lost is lost at once",
        "nvaha.state.lease:HeldLease.renew",
        drop("self._grant = None"),
        simulated=False,
    ),
)

READING = (
    Mutant(
        "refused-read-lasts",
        "a read that was refused may pass: a 400 to a read is Azure's own trouble",
        "nvaha.state.snapshot:lasting",
        replace("error.fault is not NetworkFault.REFUSED", by="True"),
    ),
    Mutant(
        "one-read-holds-up-all",
        "one resource that does not answer holds up no look at the others",
        "nvaha.state.snapshot",
        constant("PATIENCE_S", 1e9),
    ),
    Mutant(
        "absent-is-hidden",
        "that Azure does not have a resource is knowledge",
        "nvaha.state.snapshot:read_snapshot",
        replace("answer.fault is NetworkFault.MISSING", by="False"),
        simulated=False,
    ),
)

STORING = (
    Mutant(
        "stored-under-new-names",
        "what is stored keeps the names of release 0.1.0",
        "nvaha.azure.storage.rows:_flat",
        replace("_STORED_AS.get(name, name)", by="name"),
        simulated=False,
    ),
    Mutant(
        "unread-hidden-from-0-1-0",
        "release 0.1.0 too tells that Azure could not be read",
        "nvaha.azure.storage.rows:_flat",
        replace("content['unread'] is not None", by="False"),
        simulated=False,
    ),
    Mutant(
        "unread-comes-back-as-drift",
        "what is told to release 0.1.0 among the problems is no problem when it is read back",
        "nvaha.azure.storage.rows:_nested",
        replace("problems[0].startswith(said)", by="False"),
        simulated=False,
    ),
    Mutant(
        "unread-of-0-1-0-lost",
        "what release 0.1.0 says of an Azure that could not be read is known here too",
        "nvaha.azure.storage.rows:_nested",
        drop('flat.setdefault("unread", problems[0].removeprefix(said))'),
        simulated=False,
    ),
    Mutant(
        "wild-time-read",
        "a time that cannot have been yet is refused where it is read",
        "nvaha.azure.storage.bounds:_time",
        replace("value <= now + ahead", by="True"),
        tests=WILD_ROWS,
        simulated=False,
    ),
    Mutant(
        "wild-number-read",
        "a number that nothing can be added to any more is refused where it is read",
        "nvaha.azure.storage.bounds:_problem",
        replace("0 <= value <= largest", by="True"),
        tests=WILD_ROWS,
        simulated=False,
    ),
    Mutant(
        "wild-text-read",
        "a text that no row could hold for long is refused where it is read",
        "nvaha.azure.storage.bounds:_text",
        replace("len(value) <= _LONGEST_TEXT", by="True"),
        tests=WILD_ROWS,
        simulated=False,
    ),
    Mutant(
        "wild-list-read",
        "a list that is longer than is ever kept is refused where it is read",
        "nvaha.azure.storage.bounds:_collection",
        replace("len(value) > most", by="False"),
        tests=WILD_ROWS,
        simulated=False,
    ),
    Mutant(
        "foreign-row-read",
        "a row is that of its group",
        "nvaha.azure.storage.rows:read_group",
        replace('state.group != entity["RowKey"]', by="False"),
        tests=WILD_ROWS,
        simulated=False,
    ),
    Mutant(
        "foreign-operation-read",
        "a group's row refers to no other group's operations",
        "nvaha.azure.storage.rows:read_group",
        replace('(operation_keys(operation) or ("",))[0] != state.group', by="False"),
        tests=WILD_ROWS,
        simulated=False,
    ),
    Mutant(
        "newer-schema-read",
        "a row of a newer schema is left as it is",
        "nvaha.azure.storage.rows:_Codec.read",
        replace("schema > SCHEMA", by="False"),
        simulated=False,
    ),
    Mutant(
        "failback-wait-is-wild",
        "the longest wait that one monitor writes is read where the clock is behind",
        "nvaha.azure.storage.bounds",
        replace(
            '_WAITED_FOR = {"retry_at": _BACK_OFF, "failback_at": _BACK_OFF, "repair_at": LONGEST_HOLD_DOWN}',
            by='_WAITED_FOR = {"retry_at": _BACK_OFF, "repair_at": LONGEST_HOLD_DOWN}',
        ),
        simulated=False,
        tests=("tests/unit/test_azure_rows.py",),
    ),
)
