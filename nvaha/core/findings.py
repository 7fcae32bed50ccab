"""What an examination finds, in words, with what to do about it: pure.

One table says for each kind of finding how bad it is and what a person is to do; docs/doctor.md has a line
for each. `nvaha.core.hosting` and `nvaha.core.diagnosis` say when it is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nvaha.core.advice import Advice


class Area(StrEnum):
    """What is examined, in the order in which it is told."""

    SETTINGS = "settings"
    HOST = "host"
    VERSIONS = "versions"
    IDENTITY = "identity"
    STORAGE = "storage"
    CLOCK = "clock"
    AZURE = "azure"
    RIGHTS = "rights"
    READINESS = "readiness"
    PROBES = "probes"
    MONITORS = "monitors"
    GROUPS = "groups"


class Level(StrEnum):
    """How bad a finding is; the worst last."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    UNKNOWN = "unknown"  # it could not be told, which may pass
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined.

    Args:
        area: what it is of.
        level: how bad it is.
        code: which, by the table, or an advice's; a stable name.
        subject: where: a setting, a resource, an address, a group.
        text: how it stands, in a sentence.
        remedy: what to do about it; empty where all is well.
    """

    area: Area
    level: Level
    code: str
    subject: str
    text: str
    remedy: str = ""


_ROLE = (
    "give the app's identity{who} that right: the operator role at that scope "
    "(docs/security.md#where-it-is-assigned)"
)
KINDS: Final[dict[str, tuple[Level, str]]] = {
    # settings
    "settings_unusable": (Level.ERROR, "correct that application setting; the app does nothing before"),
    "configuration_unusable": (Level.ERROR, "correct the configuration and deploy again"),
    "configuration_warning": (Level.WARNING, "see docs/configuration.md"),
    "connection_string_beside_identity": (
        Level.ERROR,
        (
            "remove it (az functionapp config appsettings delete --setting-names {subject}): it is used "
            "instead of the identity, and refused where the account takes no keys"
        ),
    ),
    "setting_unknown": (Level.WARNING, "correct its name, or remove it: nothing reads it"),
    "setting_unresolved": (
        Level.ERROR,
        "mend the Key Vault reference: the portal shows under Environment variables why it is not resolved",
    ),
    "setting_missing": (Level.ERROR, "set it, or take what names it out of the configuration"),
    "function_disabled": (Level.ERROR, "remove that setting: without the function nvaha is not whole"),
    "runtime_unsuited": (Level.ERROR, "set it to {wanted}"),
    "no_identity": (
        Level.ERROR,
        "assign an identity to the app, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret or certificate",
    ),
    "no_telemetry": (
        Level.WARNING,
        "set APPLICATIONINSIGHTS_CONNECTION_STRING: without it no log is kept and no alert can fire",
    ),
    "plan_unsuited": (
        Level.ERROR,
        "move it to Flex Consumption or a dedicated plan: docs/deploy.md#hosting",
    ),
    # host.json
    "host_unreadable": (Level.ERROR, "deploy the package again, with the host.json of this release"),
    "host_differs": (Level.WARNING, "set it to {wanted} in host.json{override}, and deploy again"),
    "host_breaks": (Level.ERROR, "set it to {wanted} in host.json{override}, and deploy again"),
    # versions
    "version_unsupported": (Level.WARNING, "use {wanted}"),
    # identity
    "no_token": (
        Level.ERROR,
        "see that the app has its identity (az functionapp identity show) and that AZURE_CLIENT_ID names it",
    ),
    "token_not_renewed": (Level.WARNING, "see why the identity's endpoint refuses, before the token ends"),
    # storage
    "storage_role_missing": (
        Level.ERROR,
        "give the app's identity{who} the role {role} on the account",
    ),
    "storage_keys_refused": (
        Level.ERROR,
        (
            "the account takes no keys, or not this one: use the identity's settings (docs/deploy.md) and "
            "remove the connection string"
        ),
    ),
    "storage_network": (
        Level.ERROR,
        "the account lets nobody in from here: see its firewall, private endpoints and their DNS zones",
    ),
    "storage_refused": (Level.ERROR, "mend what storage says"),
    "storage_silent": (
        Level.ERROR,
        (
            "see that the account's name resolves from the app's subnet to where it answers (private "
            "endpoint, DNS zone), and that no rule drops port 443"
        ),
    ),
    # clock
    "clock_off": (Level.WARNING, "nvaha goes by storage's clock; restart the app if it stays so"),
    "clock_far_off": (Level.ERROR, "restart the app: tokens and signed requests are refused by such a clock"),
    # Azure
    "read_denied": (Level.ERROR, _ROLE),
    "id_missing": (
        Level.ERROR,
        (
            "correct the id in the configuration, or create the resource; where no role reaches, Azure may "
            "say the same of what exists"
        ),
    ),
    "id_unreadable": (Level.ERROR, "see that the id names a route table, network interface or public IP"),
    "not_answered": (Level.UNKNOWN, "ask again; if it stays so: does the subnet let the app out to Azure?"),
    # rights
    "write_denied": (Level.ERROR, _ROLE),
    "write_forbidden": (Level.ERROR, "{wanted}: a failover meets the same"),
    "write_unproven": (Level.UNKNOWN, "ask again; the canary and a planned failover prove the rest"),
    "write_taken": (Level.ERROR, "look at the resource in the portal, and report this as a fault of nvaha"),
    "write_not_tried": (Level.UNKNOWN, "ask again, for this group alone: nvaha doctor {subject}"),
    "switch_under_way": (Level.INFO, "ask again when it has ended"),
    # readiness
    "not_ready": (Level.ERROR, "mend it before a switch there is needed"),
    # probes
    "probe_refused": (
        Level.ERROR,
        "the machine answers and the port does not: is the service running, and is the port the right one?",
    ),
    "probe_silent": (
        Level.ERROR,
        (
            "something drops the probe: the network security groups at the NVA's interface and at the app's "
            "subnet, routes between them, the NVA's own firewall, or it is down"
        ),
    ),
    "probe_unreachable": (
        Level.ERROR,
        "is the app in a network that reaches it (VNet integration)?",
    ),
    "probe_tls": (
        Level.ERROR,
        "give the probe the certificate's host name (probe.host), or set probe.verify_tls: false",
    ),
    "probe_status": (Level.ERROR, "see what answers at that path, and the probe's path and expect"),
    "probe_other": (Level.ERROR, "see what answers at that address and port"),
    "probe_no_address": (Level.ERROR, "let the NIC be read, or give probe.address in the configuration"),
    "target_silent": (
        Level.WARNING,
        "see that it runs and that the app's subnet may reach it, or name another",
    ),
    "targets_all_silent": (
        Level.ERROR,
        "mend the app's own network: while no target answers, the monitor is blind and moves nothing",
    ),
    # monitors
    "alone": (Level.INFO, "a second instance or monitor takes over when this one is gone: docs/deploy.md"),
    "other_configuration": (Level.ERROR, "deploy the same configuration to each app, or restart this one"),
    "releases_differ": (Level.INFO, "nothing, during an upgrade; else deploy the same release to each"),
    # the examination itself
    "follows": (Level.UNKNOWN, "see {wanted} above"),
    "not_examined": (Level.UNKNOWN, "ask again; if it stays so, examine one group: nvaha doctor GROUP"),
}
"""Code -> how bad it is, and what to do; names in braces are filled in."""


def found(area: Area, code: str, subject: str, text: str, **more: str) -> Finding:
    """Return a finding of the table.

    Args:
        area: what it is of.
        code: which.
        subject: where.
        text: how it stands.
        more: what the remedy's other names in braces are filled with; those that are left out vanish.
    """
    level, remedy = KINDS[code]
    names = {"who": "", "override": "", "wanted": "", "role": "", **more, "subject": subject}
    return Finding(area, level, code, subject, text, remedy.format(**names))


def well(area: Area, subject: str, text: str) -> Finding:
    """Return that all is well with something."""
    return Finding(area, Level.OK, "ok", subject, text)


def advised(area: Area, subject: str, advice: Iterable[Advice]) -> list[Finding]:
    """Return what `nvaha status` says as well, as findings."""
    return [
        Finding(area, Level(each.level), each.code, subject, each.text, f"{each.todo}  ({each.runbook})")
        for each in advice
    ]


def worst(findings: Iterable[Finding]) -> Level:
    """Return how bad the worst of them is."""
    order = list(Level)
    return max((each.level for each in findings), key=order.index, default=Level.OK)
