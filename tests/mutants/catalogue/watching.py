"""Rules of the leader's ticks, rounds and records, of blindness, and of the app around them."""

from __future__ import annotations

from tests.mutants.catalogue.asked import ABANDONED, ELECTIONS, GOES_ON, ROUNDS, SCENARIOS, WILD_ROWS
from tests.mutants.change import drop, replace
from tests.mutants.mutant import Mutant

LEADING = (
    Mutant(
        "cut-off-for-ever",
        "a look that the end of a tick cut off is begun where it can end",
        "nvaha.watch.looks:Looks.run.fits",
        replace("not watched.cut_off", by="True"),
        simulated=False,
    ),
    Mutant(
        "state-told-once",
        "how a group stands is told when it changes",
        "nvaha.watch.leader_record:LeaderRecorder._tell_groups",
        replace("line != told", by="told is None"),
        simulated=False,
    ),
    Mutant(
        "pinged-while-blind",
        "nobody outside is told that all is well while the monitor sees nothing",
        "nvaha.watch.leader_record:LeaderRecorder.all_is_watched",
        replace("not self._blind", by="True"),
        simulated=False,
        tests=("tests/unit/watch/test_pings.py",),
    ),
    Mutant(
        "pinged-while-unwatched",
        "nobody outside is told that all is well while a group is not watched",
        "nvaha.watch.leader_record:LeaderRecorder.all_is_watched",
        replace("not unwatched", by="True"),
        simulated=False,
        tests=("tests/unit/watch/test_pings.py",),
    ),
    Mutant(
        "tick-in-a-tick",
        "a tick that begins while another runs does nothing",
        "nvaha.watch.monitor:Monitor.tick",
        replace("self._ticking", by="False"),
    ),
    Mutant(
        "bad-end-keeps-the-lease",
        "a tick that ends badly gives its lease up",
        "nvaha.watch.monitor:Monitor.tick",
        drop("await self._lease.release()"),
    ),
    Mutant(
        "silence-deposes",
        "storage that is silent at the start of a tick deposes no leader whose lease stands",
        "nvaha.watch.monitor:Monitor._lead",
        replace("StoreUnavailable", by="()"),
    ),
    Mutant(
        "deposed-goes-on",
        "a leader that has lost its lease stops",
        "nvaha.watch.troubles:Troubles.apart",
        replace("(LeaseLost, Deposed)", by="()"),
    ),
    Mutant(
        "one-group-ends-all",
        "one group's exception keeps no other group from its rounds, looks and elections",
        "nvaha.watch.troubles:Troubles.apart",
        replace("Exception", by="()"),
        tests=GOES_ON,
    ),
    Mutant(
        "silence-over-one-group-ends-all",
        "one group's state that cannot be written ends nothing but its round",
        "nvaha.watch.troubles:Troubles.apart",
        replace("StoreUnavailable", by="()"),
        replace("Exception", by="ZeroDivisionError"),
        tests=WILD_ROWS,
    ),
    Mutant(
        "row-not-named",
        "a group whose row cannot be read is told by name, as such",
        "nvaha.watch.troubles:Troubles.apart",
        replace("StateUnreadable", by="()"),
        tests=WILD_ROWS,
    ),
    Mutant(
        "row-told-at-each-tick",
        "a row that cannot be read is told when that changes",
        "nvaha.watch.troubles:Troubles.apart",
        replace("self._rows.get(group) != text", by="True"),
        tests=WILD_ROWS,
        simulated=False,
    ),
    Mutant(
        "trouble-told-at-each-round",
        "what nobody expected is not told at each round",
        "nvaha.watch.troubles:Troubles.apart",
        replace("text not in self._told", by="True"),
        tests=WILD_ROWS,
        simulated=False,
    ),
    Mutant(
        "mended-too-soon",
        "a row is called mended only once it was read",
        "nvaha.watch.watched:WatchedGroups._take",
        drop("if watched is not None: watched.unsure = True"),
        tests=WILD_ROWS,
        simulated=False,
    ),
    Mutant(
        "epoch-of-no-leader-outbid",
        "an epoch that no leader can have had deposes nobody and raises no lease",
        "nvaha.watch.watched:WatchedGroups._still_lead",
        replace("state.epoch > mine + EPOCHS_APART", by="False"),
        tests=WILD_ROWS,
        simulated=False,
    ),
    Mutant(
        "stalled-round-believed",
        "what was read before a stall is not believed after it",
        "nvaha.watch.rounds:Rounds._round",
        replace("STOPPED_S", by="1e9"),
        tests=SCENARIOS,
    ),
    Mutant(
        "believed-when-its-turn-comes",
        "a round that is old by the time it may be written is forgotten",
        "nvaha.state.commit:Committer.commit",
        replace("not still()", by="False"),
    ),
    Mutant(
        "reading-lost-for-the-record",
        "a reading is not dropped because the leader's record cannot be written",
        "nvaha.watch.leader_record:LeaderRecorder._try_to_write",
        replace("StoreUnavailable", by="()"),
        tests=GOES_ON,
    ),
    Mutant(
        "abandoned-for-ever",
        "a switch of a group that nobody has configured any more ends",
        "nvaha.core.lifecycle:abandoned",
        replace("(now - moved_at).total_seconds() < ABANDONED_S", by="True"),
        tests=ABANDONED,
        simulated=False,
    ),
    Mutant(
        "others-switch-ended",
        "a switch that a worker with another configuration goes on with is left alone",
        "nvaha.core.lifecycle:abandoned",
        replace("(now - moved_at).total_seconds() < ABANDONED_S", by="False"),
        tests=ABANDONED,
        simulated=False,
    ),
    Mutant(
        "abandoned-record-left-open",
        "what a leader that died has left open of a removed group is closed by the next",
        "nvaha.watch.watched:WatchedGroups._clear_up",
        replace("state.closings", by="False"),
        tests=ABANDONED,
        simulated=False,
    ),
    Mutant(
        "newer-epoch-overlooked",
        "a leader that finds a newer epoch stops",
        "nvaha.watch.watched:WatchedGroups._commit",
        drop("self._still_lead(committed.held.state)"),
    ),
    Mutant(
        "epoch-not-outbid",
        "whoever was deposed by an epoch does not lead with one that is not newer",
        "nvaha.watch.watched:WatchedGroups._still_lead",
        drop("self.newest_epoch = max(self.newest_epoch, state.epoch)"),
    ),
    Mutant(
        "elections-buy-looks",
        "a leader that is elected again does not read all of Azure again at once",
        "nvaha.watch.watched:WatchedGroups._stamp",
        replace('self._looked_at.get(group.name, float("-inf"))', by='float("-inf")'),
        tests=ELECTIONS,
    ),
    Mutant(
        "record-at-its-interval",
        "a new leader writes its record at once",
        "nvaha.watch.leader_record:LeaderRecorder.elected",
        replace("self._written_at = float('-inf')", by="self._written_at = self._clock.monotonic()"),
    ),
    Mutant(
        "looks-forgotten-by-a-second-election",
        "an election that comes to nothing forgets no look",
        "nvaha.watch.watched:WatchedGroups.forget",
        replace(
            "self._looked_at |= {name: watched.looked_at for name, watched in self._watched.items()}",
            by="self._looked_at = {name: watched.looked_at for name, watched in self._watched.items()}",
        ),
        simulated=False,
    ),
    Mutant(
        "tick-goes-round",
        "a leader whose last rounds have ended waits for the end of its tick",
        "nvaha.watch.monitor:Monitor._lead",
        drop("await self._clock.sleep(until - self._clock.monotonic())"),
        simulated=False,
    ),
)

SEEING = (
    Mutant(
        "witnesses-not-asked",
        "a monitor is blind only when those that answered last are silent too",
        "nvaha.watch.blindness:Blindness.is_blind",
        replace("await self._reachable(tuple(self._witnesses))", by="False"),
    ),
    Mutant(
        "witnesses-asked-by-each",
        "however many groups want to know at the same time, the witnesses are asked once",
        "nvaha.watch.blindness:Blindness._reachable",
        replace("now - asked_at < TIMEOUT_S / 2", by="False"),
        simulated=False,
    ),
    Mutant(
        "answer-counts-from-the-question",
        "an answer of the witnesses counts from when it came",
        "nvaha.watch.blindness:Blindness._reachable",
        replace("answered_at if in_time else float('-inf')", by="now"),
        simulated=False,
    ),
    Mutant(
        "answer-from-before-a-stop",
        "an answer that a process waited too long for, since it stood still, vouches for nothing afterwards",
        "nvaha.watch.blindness:Blindness._reachable",
        replace("answered_at - now <= 2 * TIMEOUT_S", by="True"),
        simulated=False,
    ),
    Mutant(
        "believed-when-it-is-written",
        "a round that grows old while the row is read for it is forgotten",
        "nvaha.watch.watched:WatchedGroups.decide",
        replace(
            "self._commit(watched.group, happened, held, still)",
            by="self._commit(watched.group, happened, held, (lambda old: lambda: not old)(not still()))",
        ),
    ),
    Mutant(
        "blind-guard-off",
        "a blind monitor's failures are not believed",
        "nvaha.watch.rounds:Rounds._round",
        replace("blind", by="False"),
    ),
    Mutant(
        "sight-from-when-it-was-due",
        "a round counts from when it really began",
        "nvaha.watch.rounds:Rounds._watch",
        replace("self._round(watched, began_at)", by="self._round(watched, due_at)"),
        tests=SCENARIOS,
    ),
    Mutant(
        "blind-elsewhere",
        "a group is as blind as its own last round",
        "nvaha.watch.rounds:Rounds._round",
        replace(
            "Probed(self._lease.epoch, readings, blind)",
            by="Probed(self._lease.epoch, readings, self._blindness.blind)",
        ),
        simulated=False,
    ),
    Mutant(
        "blindness-by-group",
        "blindness is told of the monitor, not of each group's round",
        "nvaha.watch.rounds:Rounds._round",
        replace(
            "self._record.tell_blindness(blind=self._blindness.blind)",
            by="self._record.tell_blindness(blind=blind)",
        ),
        simulated=False,
        tests=ROUNDS,
    ),
    Mutant(
        "dropped-round-counts",
        "a round that came to nothing makes the record no fresher",
        "nvaha.watch.rounds:Rounds._round",
        replace(
            "await self._watched.decide(watched, probed, believable)",
            by="await self._watched.decide(watched, probed, believable) or True",
        ),
        simulated=False,
        tests=ROUNDS,
    ),
)

ANSWERING = (
    Mutant(
        "unwatched-group-healthy",
        "an app that has a group which nobody probes is not healthy",
        "nvaha.operate.control:Control._look_at_health",
        replace("await self._all_probed()", by="True"),
        simulated=False,
    ),
    Mutant(
        "probed-in-the-future",
        "a group whose probing is told for a time to come is not watched",
        "nvaha.core.health:lately_probed",
        replace("abs((now - probed_at).total_seconds())", by="(now - probed_at).total_seconds()"),
        tests=("tests/unit/operate/test_control.py",),
        simulated=False,
    ),
    Mutant(
        "bad-health-asked-again",
        "an answer about health is kept, also where storage gave none",
        "nvaha.operate.kept:Kept.get",
        replace(
            "self._kept = (ended + min(max(KEPT_S, KEPT_TIMES * (ended - began)), KEPT_LONGEST_S), answer)",
            by="if answer: self._kept = (ended + KEPT_S, answer)",
        ),
    ),
    Mutant(
        "closed-in-use",
        "an app that was replaced is closed only after its last use",
        "nvaha.app.holder:AppHolder._used",
        replace("not self._uses[app]", by="True"),
        simulated=False,
    ),
    Mutant(
        "replaced-never-closed",
        "an app that was replaced is closed",
        "nvaha.app.holder:AppHolder._used",
        drop("await app.close()"),
        simulated=False,
    ),
    Mutant(
        "as-seldom-as-the-seldomest",
        "a group is probed as often as the NVA that is asked most often",
        "nvaha.core.health:stale_after_s",
        replace(
            "min((nva.probe.interval_s for nva in group.nvas), default=0.0)",
            by="max((nva.probe.interval_s for nva in group.nvas), default=0.0)",
        ),
        tests=("tests/unit/operate/test_control.py",),
        simulated=False,
    ),
    Mutant(
        "newer-app-replaced",
        "a message that the old app refuses late replaces no newer one",
        "nvaha.app.holder:AppHolder.switch",
        replace("self._app is app", by="True"),
        simulated=False,
    ),
)

STEADY = (
    Mutant(
        "unsteady-by-itself-down",
        "an unsteady NVA is down only where the policy says so",
        "nvaha.core.health:advance",
        replace("nva.unsteady and unsteady_is_down", by="nva.unsteady"),
    ),
    Mutant(
        "blind-makes-unsteady",
        "what a blind monitor did not see makes no NVA unsteady",
        "nvaha.core.health:_seen",
        replace("blind and not reading.ok", by="False"),
        simulated=False,
    ),
    Mutant(
        "outage-makes-unsteady",
        "an outage that ended in a row of failures is counted afresh after it",
        "nvaha.core.health:advance",
        replace("health is Health.DOWN and not held", by="False"),
    ),
    Mutant(
        "unsteady-forgotten-at-an-answer",
        "traffic leaves an NVA that is down for being unsteady, also right after an answer of it",
        "nvaha.core.health:fallen",
        replace("nva.unsteady or nva.confirmed >= spec.fall", by="nva.confirmed >= spec.fall"),
        simulated=False,
    ),
    Mutant(
        "window-is-news",
        "nothing is written because a reading of long ago moved on in the window",
        "nvaha.core.health:_essence",
        replace('"recent"', by='"generation"'),
        simulated=False,
    ),
)

FLOODED = (
    Mutant(
        "interim-without-end",
        "a probe reads no more than some interim answers",
        "nvaha.probes.http:_final_status",
        replace("MOST_INTERIM + 1", by="10**9"),
        simulated=False,
    ),
    Mutant(
        "head-without-end",
        "a probe reads no more than so much of a head",
        "nvaha.probes.http:_final_status",
        replace("read > MOST_HEAD", by="False"),
        simulated=False,
    ),
    Mutant(
        "end-in-two-pieces-missed",
        "an HTTP answer is the same wherever the network cuts it",
        "nvaha.probes.http:_final_status",
        replace("max(looked_at - 3, 0)", by="looked_at"),
        simulated=False,
    ),
)

ENDING = (
    Mutant(
        "stopped-and-sure",
        "who stops a failover whose reply is out is told that nobody knows whether it was started",
        "nvaha.cli.act:_ask_for",
        drop("known.failure = _unknown(wish, request_id, ExitCode.INTERRUPTED, 'stopped while asking')"),
        simulated=False,
        tests=("tests/unit/test_cli_ends.py",),
    ),
    Mutant(
        "full-disk-is-done",
        "a document that could not be written is no success",
        "nvaha.cli.streams:lost_output",
        replace("trouble.errno in _LEFT", by="True"),
        simulated=False,
        tests=("tests/unit/test_cli_ends.py",),
    ),
)

TELLING = (
    Mutant(
        "sentence-imitates",
        "nothing in a sentence can be taken for the event of its line",
        "nvaha.notify:_tame",
        replace("text.replace(BEGINS, BEGINS.replace('{', '{ '))", by="text"),
        simulated=False,
    ),
    Mutant(
        "library-imitates",
        "no line but a notice's own is an event",
        "nvaha.notify:SafeRecord.__init__",
        replace("_tame(_safe(self._said()))", by="_safe(self._said())"),
        simulated=False,
    ),
    Mutant(
        "event-cut-off",
        "a line is never so long that its event is cut off",
        "nvaha.notify:EventLine.__str__",
        replace("len(line) <= _LONGEST_LINE", by="True"),
        simulated=False,
    ),
    Mutant(
        "traceback-imitates",
        "a traceback's last line is no event",
        "nvaha.notify:SafeRecord.__init__",
        replace("_tame(_safe(line))", by="line"),
        simulated=False,
    ),
)

HIDING = (
    Mutant(
        "connection-string-shown",
        "a connection string where a setting's name belongs is not shown",
        "nvaha.config.settings:_Reader.storage",
        replace("not _CONNECTION.fullmatch(connection)", by="False"),
        simulated=False,
    ),
    Mutant(
        "connection-string-to-the-host",
        "the Functions host is given no connection string where it expects a name, since it repeats that",
        "nvaha.config.settings:for_triggers",
        replace("_CONNECTION.fullmatch(connection)", by="True"),
        simulated=False,
    ),
    Mutant(
        "cause-tells",
        "an error is cut off from a cause that tells a secret",
        "nvaha.text:fit_to_raise",
        drop("error.__cause__ = error.__context__ = None"),
        simulated=False,
    ),
    Mutant(
        "raised-as-it-is",
        "what the app's functions raise leaves without a secret",
        "nvaha.app.holder:AppHolder.using",
        replace("fit_to_raise(error)", by="error"),
        simulated=False,
    ),
    Mutant(
        "cut-before-looking",
        "a text is cut only after secrets were looked for",
        "nvaha.text:shown",
        replace("safe(value)", by="safe(value[:longest])"),
        simulated=False,
    ),
    Mutant(
        "key-comes-back",
        "a key that comes back in an answer is not printed",
        "nvaha.cli.client:App._call",
        replace("self.where.key is not None", by="False"),
        simulated=False,
    ),
)
