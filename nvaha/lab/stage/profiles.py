"""How long the simulated Azure takes: without delay, as usual, or on a bad day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The latencies of one simulated Azure; nothing here is random.

    Args:
        name: how it is asked for, as in `--profile typical`.
        get_s: seconds until a read, or a poll, is answered.
        put_s: seconds until a write is accepted and answered; its operation starts then.
        route_table_operation_s: seconds that the operation of a route table runs.
        nic_operation_s: seconds that the operation of a NIC with a VM runs.
        public_ip_operation_s: seconds that the operation of a public IP runs.
        nic_retry_after_s: the Retry-After of NIC operations, in whole seconds; 10 was seen in
            Azure/azure-powershell #14460.
        effective_lag_s: seconds from `Succeeded` until the data path follows; Azure has no call that tells
            when it does (kubernetes-sigs/cloud-provider-azure PR #528).
    """

    name: str
    get_s: float = 0.0
    put_s: float = 0.0
    route_table_operation_s: float = 0.0
    nic_operation_s: float = 0.0
    public_ip_operation_s: float = 0.0
    nic_retry_after_s: int = 10
    effective_lag_s: float = 0.0


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(name="fast"),
            Profile(
                name="typical",
                get_s=0.06,
                put_s=0.2,
                route_table_operation_s=2.0,
                nic_operation_s=4.0,
                public_ip_operation_s=2.0,
                effective_lag_s=0.5,
            ),
            Profile(
                name="slow",
                get_s=0.25,
                put_s=1.0,
                route_table_operation_s=30.0,
                nic_operation_s=30.0,
                public_ip_operation_s=30.0,
                effective_lag_s=5.0,
            ),
        )
    }
)
