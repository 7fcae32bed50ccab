"""Rules of an examination: it changes nothing, costs switches nothing, and believes what it may."""

from __future__ import annotations

from tests.mutants.change import drop, replace
from tests.mutants.mutant import Mutant

EXAMINING = (
    Mutant(
        "offered-under-its-own-etag",
        "what is offered has an ETag that nothing has",
        "nvaha.core.trial:offers",
        replace("Resource(table.id, NEVER, table.body)", by="Resource(table.id, table.etag, table.body)"),
        simulated=False,
    ),
    Mutant(
        "offered-nic-under-its-own-etag",
        "what is offered of a NIC has an ETag that nothing has",
        "nvaha.core.trial:offers",
        replace("Resource(nic.id, NEVER, carrying.body)", by="Resource(nic.id, nic.etag, carrying.body)"),
        simulated=False,
    ),
    Mutant(
        "offered-as-it-is",
        "what is offered has something in it that no service can read",
        "nvaha.core.bodies:with_unreadable",
        replace("[*children, unreadable]", by="[*children]"),
        simulated=False,
    ),
    Mutant(
        "offered-without-what-it-would-carry",
        "the rights on what a failover would bring are asked for, too",
        "nvaha.core.trial:_attached",
        drop("there[where.name] = public_ip.id"),
        simulated=False,
    ),
    Mutant(
        "offered-with-the-public-ip-of-another-role",
        "no public IP hides that another may not be joined",
        "nvaha.core.trial:_attached",
        replace("public_ip.role == role", by='public_ip.role != ""'),
        simulated=False,
    ),
    Mutant(
        "taken-write-is-proof",
        "a write that Azure took proves nothing but a fault",
        "nvaha.azure.arm.network:ArmNetwork.offer",
        replace("200 <= answer.status < 300", by="False"),
        simulated=False,
    ),
    Mutant(
        "any-refusal-is-proof",
        "only the network service's own refusals prove a right",
        "nvaha.azure.arm.network:ArmNetwork.offer",
        replace('(error.code or "").casefold() != _UNREAD', by="answer.status != 400"),
        simulated=False,
    ),
    Mutant(
        "offered-beside-a-switch",
        "a group that is being switched is offered nothing",
        "nvaha.operate.doctor:_Run._offers",
        replace("state.phase is Phase.SWITCHING", by="False"),
        simulated=False,
    ),
    Mutant(
        "ready-though-unread",
        "what was not read is called neither ready nor writable",
        "nvaha.core.diagnosis:of_unread",
        replace("snapshot.get(each) is None", by="False"),
        simulated=False,
    ),
    Mutant(
        "offered-without-a-pause",
        "no more is offered than ARM gives back",
        "nvaha.operate.doctor:_Run._in_turn",
        drop("await asyncio.sleep(OFFER_EVERY_S)"),
        simulated=False,
    ),
    Mutant(
        "offered-though-throttled",
        "what ARM lets one identity write is left to switches when it is short",
        "nvaha.operate.doctor:_Run._in_turn",
        replace(
            "None if self._short else await self._offer(group, resource)",
            by="await self._offer(group, resource)",
        ),
        simulated=False,
    ),
)
