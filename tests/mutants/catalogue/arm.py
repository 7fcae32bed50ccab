"""Rules of how Azure Resource Manager is asked, followed and understood."""

from __future__ import annotations

from tests.mutants.catalogue.asked import REQUESTS, WRITES
from tests.mutants.change import drop, replace
from tests.mutants.mutant import Mutant

FOLLOWING = (
    Mutant(
        "old-success-believed",
        "a success under the ETag that was written for may be from before the write",
        "nvaha.azure.arm.operation:Following._follow",
        replace("None if _etag(written) == self.etag else self.etag", by="None"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "unchanged-etag-waited-for",
        "where the PUT's own answer still has the old ETag, a success under it counts",
        "nvaha.azure.arm.operation:Following._follow",
        replace("None if _etag(written) == self.etag else self.etag", by="self.etag"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "stale-copy-believed",
        "a resource that does not show the write yet says nothing of it",
        "nvaha.azure.arm.operation:Following._word_of_resource",
        replace("(_etag(shown) or answer.headers.get('ETag')) == stale", by="False"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "operation-not-followed",
        "a write with an operation to follow is followed, whatever its answer says",
        "nvaha.azure.arm.operation:Following._follow",
        replace("link is None and _state(written) in _SUCCEEDED", by="_state(written) in _SUCCEEDED"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "token-to-another-host",
        "a link to another host is not followed",
        "nvaha.azure.arm.operation:Following._follow",
        replace("self.client.resolve(link)", by="link"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "dead-operation-asked-for-ever",
        "an operation that leads nowhere is not asked again",
        "nvaha.azure.arm.operation:Following._follow",
        drop("operation = None"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "throttled-asks-more",
        "a poll that was throttled is not followed by another read at once",
        "nvaha.azure.arm.operation:Following._follow",
        replace("word.status is None and not word.throttled", by="word.status is None"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "resource-asked-past-the-lease",
        "whoever may not go on does not read the resource either",
        "nvaha.azure.arm.operation:Following._follow",
        drop("await self.alive()"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "failed-is-under-way",
        "a resource that has failed after the write has ended",
        "nvaha.azure.arm.operation:Following._word_of_resource",
        replace("_SUCCEEDED | _ENDED_BADLY", by="_SUCCEEDED"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "failed-without-a-reason",
        "as long as there is an operation, it is waited for to say why the resource has failed",
        "nvaha.azure.arm.operation:Following._word_of_resource",
        replace("final", by="True"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "failed-waited-for",
        "without an operation a resource that has failed has failed",
        "nvaha.azure.arm.operation:Following._word_of_resource",
        replace("final", by="False"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "another-resource-believed",
        "an answer about another resource says nothing of the write",
        "nvaha.azure.arm.operation:Following._resource",
        replace("same_id(body['id'], self.resource_id)", by="True"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "forbidden-polls-tolerated",
        "polls that are forbidden end the wait at once",
        "nvaha.azure.arm.operation:Following._tolerate",
        replace("word.trouble.fault is NetworkFault.DENIED", by="False"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "silence-tolerated-for-ever",
        "polls that say nothing end the wait after a while",
        "nvaha.azure.arm.operation:Following._tolerate",
        replace("now - self._silent_since >= _TOLERATED_S", by="False"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "failed-writes-crowd",
        "only writes that are still followed slow the polls of others down",
        "nvaha.azure.arm.operation:Following.until_done",
        replace(
            """
try:
    await self._follow(accepted)
finally:
    self.crowd.size -= 1
""",
            by="await self._follow(accepted); self.crowd.size -= 1",
        ),
        simulated=False,
        tests=WRITES,
    ),
)

TALKING = (
    Mutant(
        "unusual-success-refused",
        "whatever a 2xx says beside, the write may be under way",
        "nvaha.azure.arm.network:ArmNetwork._put_once",
        replace("not 200 <= answer.status < 300", by="answer.status not in (200, 201)"),
        simulated=False,
        tests=WRITES,
    ),
    Mutant(
        "sent-again-onto-a-change",
        "a write is sent again only onto the same resource",
        "nvaha.azure.arm.network:ArmNetwork.put.once",
        drop("await self._require_unchanged(resource)"),
        simulated=False,
    ),
    Mutant(
        "sent-again-past-the-lease",
        "a write is sent again only while the writer may still write",
        "nvaha.azure.arm.network:ArmNetwork.put.once",
        drop("await alive()"),
        simulated=False,
    ),
    Mutant(
        "odd-refusal-of-a-read-final",
        "a read that is refused oddly is tried again",
        "nvaha.azure.arm.network:_may_pass",
        replace(
            "error.fault is NetworkFault.UNAVAILABLE or _is_odd(error)",
            by="error.fault is NetworkFault.UNAVAILABLE",
        ),
        simulated=False,
    ),
    Mutant(
        "odd-refusal-of-a-write-final",
        "a write that is refused oddly is sent again",
        "nvaha.azure.arm.network:ArmNetwork.put",
        replace("self._tried(once, _is_odd)", by="once()"),
        simulated=False,
    ),
    Mutant(
        "set-version-ignored",
        "the API version that is set counts",
        "nvaha.azure.arm.network:ArmNetwork.__init__",
        replace(
            "settings.arm_api_version or API_VERSIONS[settings.cloud]", by="API_VERSIONS[settings.cloud]"
        ),
        simulated=False,
    ),
    Mutant(
        "one-version-for-all-clouds",
        "each cloud is asked for an API version that it serves",
        "nvaha.azure.arm.network:ArmNetwork.__init__",
        replace("API_VERSIONS[settings.cloud]", by="API_VERSIONS[Cloud.PUBLIC]"),
        simulated=False,
    ),
)

ERRORS = (
    Mutant(
        "only-400-is-odd",
        "an API version that one server does not know may be known to the next",
        "nvaha.azure.arm.errors:answer_error",
        replace("status == 400 or bool(error.codes & UNSERVED)", by="status == 400"),
        simulated=False,
        tests=REQUESTS,
    ),
    Mutant(
        "400-is-final",
        "a 400 may be answered otherwise a moment later",
        "nvaha.azure.arm.errors:answer_error",
        replace("status == 400 or bool(error.codes & UNSERVED)", by="bool(error.codes & UNSERVED)"),
        simulated=False,
        tests=REQUESTS,
    ),
    Mutant(
        "missing-right-overlooked",
        "a right that is missing on a linked resource is a missing right, whatever the status",
        "nvaha.azure.arm.errors:_fault_of_answer",
        replace("codes & _DENIED", by="False"),
        simulated=False,
    ),
    Mutant(
        "operation-s-missing-right-overlooked",
        "an operation that failed for want of a right says so",
        "nvaha.azure.arm.errors:_fault_of_operation",
        replace("codes & _DENIED", by="False"),
        simulated=False,
    ),
    Mutant(
        "unserved-is-missing",
        "a 404 for an API version that is not served says nothing of the resource",
        "nvaha.azure.arm.errors:_fault_of_answer",
        replace("codes & UNSERVED", by="False"),
        simulated=False,
    ),
    Mutant(
        "end-of-the-text-lost",
        "a long text is cut in the middle: what matters may stand at its end",
        "nvaha.azure.arm.errors:bounded",
        replace("tail=longest // 3", by="tail=0"),
        simulated=False,
    ),
    Mutant(
        "secret-cut-in-half",
        "secrets are taken out before a text is cut",
        "nvaha.azure.arm.errors:bounded",
        replace(
            "shortened(_clean(text), longest, tail=longest // 3)",
            by="_clean(shortened(one_line(text), longest, tail=longest // 3))",
        ),
        simulated=False,
    ),
    Mutant(
        "oldest-versions-named",
        "the newest API versions that are served are named",
        "nvaha.azure.arm.reasons:_served",
        replace("reverse=True", by="reverse=False"),
        simulated=False,
    ),
    Mutant(
        "previews-named",
        "nobody is sent to a preview where there is a stable API version",
        "nvaha.azure.arm.reasons:_served",
        replace("[each for each in served if _VERSION.fullmatch(each)] or served", by="served"),
        simulated=False,
    ),
    Mutant(
        "only-previews-unnamed",
        "where there are only previews they are named",
        "nvaha.azure.arm.reasons:_served",
        replace(
            "[each for each in served if _VERSION.fullmatch(each)] or served",
            by="[each for each in served if _VERSION.fullmatch(each)]",
        ),
        simulated=False,
    ),
    Mutant(
        "missing-quote-not-borne",
        "scopes are found where the quote that should end them is missing",
        "nvaha.azure.arm.reasons",
        replace(
            r'''r"linked scope(?:\(s\))? '(.*?)(?:'| \(respectively\)| or the linked)"''',
            by=r'''r"linked scope(?:\(s\))? '(.*?)'"''',
        ),
        simulated=False,
    ),
    Mutant(
        "rights-not-paired",
        "as many rights as scopes are told in pairs",
        "nvaha.azure.arm.reasons:_needed",
        replace("len(actions) == len(scopes)", by="False"),
        simulated=False,
    ),
    Mutant(
        "deny-assignment-a-missing-right",
        "a deny assignment is told as such, not as the right that would be missing without it",
        "nvaha.azure.arm.reasons:reason",
        replace("_DENY_ASSIGNMENT.search(text)", by="None"),
        simulated=False,
    ),
    Mutant(
        "linked-right-on-the-wrong-scope",
        "a right that is missing on a linked scope is told with that scope",
        "nvaha.azure.arm.reasons:reason",
        replace("_LINKED_RIGHT.search(text)", by="None"),
        simulated=False,
    ),
)
