"""How the simulated Azure behaves where the real one is known to vary, or where nobody documents it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import ClassVar

from nvaha.lab.arm.throttle import GENEROUS_LIMITS, Limits


class Concurrency(StrEnum):
    """What a PUT meets while an operation on the same resource runs."""

    SUPERSEDE = "supersede"  # the older operation ends Canceled
    RETRYABLE = "retryable"  # 429 RetryableErrorDueToAnotherOperation
    CONFLICT = "conflict"  # 409 AnotherOperationInProgress


class Keeps(StrEnum):
    """Which body a failed operation leaves behind."""

    NEW = "new"
    OLD = "old"


class Pause(StrEnum):
    """How ARM is gone while it is paused."""

    REFUSE = "refuse"
    HANG = "hang"


@dataclass(slots=True, kw_only=True)
class Switches:
    """Settings that may be changed while the simulator runs.

    Args:
        nic_ignores_if_match: NICs accept a stale If-Match; no recording of a NIC's 412 was found.
        attach_may_overlap_detach: a public IP may be attached while its detach still runs. Nobody documents
            that, so it is refused by default.
        concurrency: what a PUT meets while an operation on the same resource runs.
        failed_keeps: which body a failed operation leaves.
        broken: ids of NICs whose VM cannot be changed: every operation fails with OperationNotAllowed.
        zones: {VM id: zone} of the VMs that are in a zone; nothing in a NIC's body says so.
        denied_tags: a pattern with `*` and `?` on the names of tags that a policy denies, without regard to
            case: no write of a body that has one is accepted. Empty for no policy.
        api_versions: the API versions that are served, in ARM's order; empty for all.
        page_size: resources in one page of a list.
        capital_ids: lists show the resource groups of ids in capitals (Azure/azure-cli #30562).
        token_lifetime_s: how long a token is valid; 24 h as in App Service.
        limits: when requests are throttled.
    """

    # Whoever writes them as JSON is told of a name that they do not have.
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    nic_ignores_if_match: bool = False
    attach_may_overlap_detach: bool = False
    concurrency: Concurrency = Concurrency.SUPERSEDE
    failed_keeps: Keeps = Keeps.NEW
    broken: set[str] = field(default_factory=set)
    zones: dict[str, str] = field(default_factory=dict)
    denied_tags: str = ""
    api_versions: tuple[str, ...] = ()
    page_size: int = 100
    capital_ids: bool = False
    token_lifetime_s: float = 86400.0
    limits: Limits = GENEROUS_LIMITS

    def is_broken(self, resource_id: str) -> bool:
        """Tell whether the operations of this NIC fail."""
        return resource_id.casefold() in {each.casefold() for each in self.broken}

    def denies(self, tag: str) -> bool:
        """Tell whether a policy denies a tag."""
        return fnmatchcase(tag.casefold(), self.denied_tags.casefold())

    def zone_of(self, vm_id: str) -> str | None:
        """Return the zone of a VM, if it is in one."""
        return next((zone for each, zone in self.zones.items() if each.casefold() == vm_id.casefold()), None)
