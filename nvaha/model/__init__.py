"""The values that flow from a probe to a switch: frozen, without behaviour that needs I/O or a clock.

Times are timezone-aware UTC datetimes of the storage service's clock (see nvaha.azure.clock); durations are
seconds as floats with the suffix `_s`; Azure resource ids are kept as the user wrote them and compared
through `same_id`.
"""

from __future__ import annotations

from nvaha.model.configured import (
    CanarySpec,
    Configuration,
    ControlTarget,
    Group,
    Nva,
    Policy,
    ProbeKind,
    ProbeSpec,
    PublicIp,
    Receiver,
    ReceiverKind,
)
from nvaha.model.ids import same_id
from nvaha.model.observed import Health, NvaState, Reading, Resource, Snapshot, TokenSeen, Tried
from nvaha.model.recorded import (
    INSTANCES_FOR_S,
    LARGEST,
    SIGN_EVERY_S,
    STALE_AFTER_S,
    WRITTEN_EVERY_S,
    CanaryRecord,
    Closing,
    Drift,
    GroupState,
    Guards,
    InstanceRecord,
    LeaderRecord,
    Operation,
    Pause,
    Phase,
    Scheduled,
    Status,
    StepRecord,
    StepStatus,
    Switch,
    SwitchRequest,
    Trigger,
)
from nvaha.model.told import LEVELS, Notice, Unsent

__all__ = [
    "INSTANCES_FOR_S",
    "LARGEST",
    "LEVELS",
    "SIGN_EVERY_S",
    "STALE_AFTER_S",
    "WRITTEN_EVERY_S",
    "CanaryRecord",
    "CanarySpec",
    "Closing",
    "Configuration",
    "ControlTarget",
    "Drift",
    "Group",
    "GroupState",
    "Guards",
    "Health",
    "InstanceRecord",
    "LeaderRecord",
    "Notice",
    "Nva",
    "NvaState",
    "Operation",
    "Pause",
    "Phase",
    "Policy",
    "ProbeKind",
    "ProbeSpec",
    "PublicIp",
    "Reading",
    "Receiver",
    "ReceiverKind",
    "Resource",
    "Scheduled",
    "Snapshot",
    "Status",
    "StepRecord",
    "StepStatus",
    "Switch",
    "SwitchRequest",
    "TokenSeen",
    "Tried",
    "Trigger",
    "Unsent",
    "same_id",
]
