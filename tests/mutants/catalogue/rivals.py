"""Rules of marks, of holds, and of what is put back again and again."""

from __future__ import annotations

from tests.mutants.change import constant, drop, replace
from tests.mutants.mutant import Mutant

RIVALS_CORE = ("tests/unit/core/test_rivals.py",)
MARKS_CORE = ("tests/unit/core/test_marks.py",)
MARKS_WORKER = ("tests/unit/switch/test_marks.py",)

RIVALS = (
    Mutant(
        "rival-ignored",
        "nothing is moved by itself where another's mark was seen",
        "nvaha.core.guards:not_again_yet",
        replace("state.rival is not None", by="False"),
        tests=RIVALS_CORE,
    ),
    Mutant(
        "hold-ignored",
        "nothing is moved by itself where a tag holds the group",
        "nvaha.core.guards:not_again_yet",
        replace("state.hold is not None", by="False"),
        tests=RIVALS_CORE,
    ),
    Mutant(
        "rival-commanded",
        "a command over a rival needs force",
        "nvaha.core.commands:refuses",
        replace("state.rival is not None", by="False"),
        tests=RIVALS_CORE,
    ),
    Mutant(
        "rival-over-by-any-switch",
        "only a switch that took the marks over ends a rival",
        "nvaha.core.lifecycle:_done",
        replace("request.forced", by="True"),
        tests=RIVALS_CORE,
    ),
    Mutant(
        "repaired-for-ever",
        "what was put back whole twice within an hour is left to a person",
        "nvaha.core.guards",
        constant("MOST_PUT_BACK", 99),
        tests=RIVALS_CORE,
    ),
    Mutant(
        "contested-repaired",
        "who is undone again and again repairs no more",
        "nvaha.core.guards:forbidden",
        replace("state.drift.contested and trigger in {Trigger.REPAIR, Trigger.FAILBACK}", by="False"),
        tests=RIVALS_CORE,
    ),
    Mutant(
        "contested-forgotten",
        "a rival stays one until Azure agrees or a person has commanded",
        "nvaha.core.discovery:_decide",
        replace("state.drift.contested or again", by="again"),
        tests=RIVALS_CORE,
    ),
    Mutant(
        "parts-are-rivals",
        "a route that somebody edits is drift, no rival",
        "nvaha.core.discovery:_drift_from",
        replace("bool(writes and survey.owners) and active not in survey.owners", by="bool(writes)"),
        tests=RIVALS_CORE,
    ),
    Mutant(
        "half-a-look-clears",
        "a tag is gone only by a look that saw all",
        "nvaha.core.discovery:read",
        replace("not (survey.unanswered or survey.hidden)", by="True"),
        tests=RIVALS_CORE,
    ),
    Mutant(
        "begins-over-tags",
        "a worker that finds a forbidding tag before its first write does not begin",
        "nvaha.switch.attempt:Attempt._converge",
        replace("self._halted(request, snapshot)", by="None"),
        tests=MARKS_WORKER,
    ),
    Mutant(
        "stops-half-way",
        "a switch that has begun is ended, whatever tag comes",
        "nvaha.switch.attempt:Attempt._converge",
        replace(
            "number == 0 and record.untouched and (halted := self._halted(request, snapshot))",
            by="number == 0 and (halted := self._halted(request, snapshot))",
        ),
        tests=MARKS_WORKER,
    ),
    Mutant(
        "held-command",
        "a hold is for what nvaha does by itself",
        "nvaha.switch.attempt:Attempt._halted",
        replace("request.forced or request.trigger is Trigger.MANUAL", by="False"),
        tests=MARKS_WORKER,
    ),
    Mutant(
        "force-leaves-marks",
        "force takes every mark over",
        "nvaha.switch.attempt:Attempt._plan",
        drop("todo = taking_over(self.group, todo, snapshot, self.ports.account)"),
        tests=MARKS_WORKER,
    ),
    Mutant(
        "mark-written-over",
        "another's mark is changed only by who takes over",
        "nvaha.core.marks:Mark.on",
        replace("not take_over", by="False"),
        tests=MARKS_CORE,
    ),
    Mutant(
        "fifty-first-tag",
        "a mark takes no place that there is not",
        "nvaha.core.marks",
        constant("MOST_TAGS", 60),
        tests=MARKS_CORE,
    ),
    Mutant(
        "marks-of-the-table",
        "groups of other NVAs that share a table do not meet",
        "nvaha.core.marks:mark_of",
        replace("hashlib.sha256(' '.join(nics).encode())", by="hashlib.sha256(b'')"),
        tests=MARKS_CORE,
    ),
    Mutant(
        "mark-costs-a-switch",
        "what a policy denies with the mark is tried again without",
        "nvaha.switch.apply:Applier._write",
        replace("failure.fault is not NetworkFault.POLICY or wanted.body == bare.body", by="True"),
        tests=MARKS_WORKER,
    ),
    Mutant(
        "old-mark-kept",
        "a mark that was written before a policy came is taken off",
        "nvaha.switch.apply:Applier._write",
        replace("self._mark.off(edited, take_over=self._take_over)", by="edited"),
        tests=MARKS_WORKER,
    ),
)
