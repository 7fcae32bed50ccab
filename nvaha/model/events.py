"""The events that operators, queries and alert rules may rely on: stable names, each with its meaning.

Every event is one log line of the logger `nvaha`: a sentence, then a JSON object with at least `event`.
"""

from __future__ import annotations

from typing import Final

EVENTS: Final[dict[str, str]] = {
    "leader_elected": "This monitor took the lease and leads from now on.",
    "leader_lost": "This monitor led and does so no longer.",
    "heartbeat": "The leader finished a round; logged every 10 seconds.",
    "round_late": "Rounds began late or were dropped: the process has too much to do, or stood still.",
    "nva_down": "An NVA failed as many probes in a row as `fall` asks for.",
    "nva_up": "An NVA answered as many probes in a row as `rise` asks for.",
    "nva_unsteady": "An NVA fails many of its probes, though never `fall` in a row.",
    "nva_steady": "An NVA is not unsteady any more: it answers, or it is down.",
    "all_down": "Every NVA of the group is down, so no switch can help.",
    "all_down_over": "An NVA of the group answers again.",
    "blind": "The monitor can see nothing at all and switches nothing until it can.",
    "blind_over": "The monitor can see again.",
    "control_down": "A control target does not answer; with none left, no NVA's failure is believed.",
    "control_up": "A control target answers again.",
    "switch_requested": "A switch was decided and put on the queue.",
    "switch_requeued": "A switch has no worker and was put on the queue again.",
    "switch_unclaimed": "No worker takes a switch up, however often it is put on the queue.",
    "switch_held_up": "A switch waits, since somebody who does not carry it out holds its lease.",
    "switch_claimed": "A worker took a switch up.",
    "step_done": "One resource was written and Azure finished the operation.",
    "step_failed": "One resource could not be written.",
    "switch_done": "A switch ended, and every resource was read back as planned.",
    "switch_failed": "A switch ended without reaching its target.",
    "switch_superseded": "A switch gave way to a newer one of its group.",
    "switch_refused": "A switch was asked for and not started.",
    "message_refused": "A queue message was stale, repeated or malformed and did nothing.",
    "message_poisoned": "A queue message failed as often as the queue allows and was set aside.",
    "drift_found": "Routes or public IPs do not agree with the recorded active NVA.",
    "drift_repaired": "Routes and public IPs agree with the recorded active NVA again.",
    "nva_not_ready": "A switch to an NVA could not move everything, or would not work there as things stand.",
    "nva_ready": "Everything could be moved to an NVA again.",
    "unwatched": "Nobody watched the group for minutes, or its row went back in time: it is looked at anew.",
    "discovered": "The group's active NVA was read from Azure.",
    "discovery_failed": "The group's resources could not be read from Azure.",
    "round_failed": "What a round or a look met in one group was not expected; the other groups go on.",
    "lease_renewed_late": "A lease was renewed later than it should be: storage, or this process, is slow.",
    "store_unavailable": "Storage did not answer.",
    "state_unreadable": "A stored row, as a rule a group's state, could not be understood.",
    "state_readable": "A group's stored state could be understood again.",
    "config_warning": "The configuration is used, with something in it that deserves a look.",
    "paused": "An operator paused a group.",
    "resumed": "An operator resumed a group.",
}
"""Event name -> what has happened, in one sentence."""

FIELDS: Final[dict[str, str]] = {
    "event": "One of the names above.",
    "id": "Of the notice: one that is told twice, as after a crash, has the same.",
    "group": "The group.",
    "nva": "The NVA.",
    "active": "Whether that NVA was the active one.",
    "operation": "Id of the operation, as in history.",
    "generation": "Generation of the switch.",
    "resource_id": "The Azure resource.",
    "instance": "The monitor that logged it.",
    "epoch": "Epoch of the leader.",
    "trigger": "Why a switch was asked for: failover, manual, repair or failback.",
    "source": "The NVA that a switch moves from.",
    "target": "The NVA that a switch moves to; of control_down and control_up, the control target.",
    "reason": "Why nothing is switched, in words.",
    "seconds": "How long a switch took from its request, in seconds.",
    "groups": "Number of groups in the round.",
    "blind": "Whether the round was blind.",
    "messages": "Number of messages that the line speaks of, where it is more than one.",
    "late": "Rounds that began more than a second after they were due.",
    "dropped": "Rounds that were not believed, because the process stood still in them.",
    "round_ms": "Length of the round in milliseconds.",
}
"""Name of a field in an event's JSON -> what it holds; an event carries those that apply."""
