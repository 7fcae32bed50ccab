"""Rules of what a switch has to change, where public IPs may go, and what a look finds."""

from __future__ import annotations

from tests.mutants.catalogue.asked import PLANS, TARGETS
from tests.mutants.change import drop, replace
from tests.mutants.mutant import Mutant

PLANNING = (
    Mutant(
        "by-hand-only-as-now",
        "what moves a group by hand takes public IPs off wherever they may be by then",
        "nvaha.core.by_hand:_public_ips",
        drop("at.append((other, wanted.name))"),
        simulated=False,
    ),
    Mutant(
        "unsafe-name-in-a-command",
        "no name that shells would take otherwise is in a command",
        "nvaha.cli.break_glass:quoted",
        replace("not _QUOTABLE.fullmatch(word)", by="False"),
        simulated=False,
    ),
    Mutant(
        "no-if-match",
        "a write is conditional on what was read",
        "nvaha.core.bodies:_with_children",
        replace("resource.etag", by='"*"'),
    ),
    Mutant(
        "fields-selected",
        "unknown properties survive",
        "nvaha.core.bodies:_with_properties",
        replace(
            'part["properties"]',
            by='{key: value for key, value in part["properties"].items() if key != "unheardOf"}',
        ),
    ),
    Mutant(
        "routes-by-their-case",
        "names in a body are compared without case",
        "nvaha.core.bodies:with_next_hops",
        replace('str(route.get("name")).casefold()', by='str(route.get("name"))'),
        simulated=False,
    ),
    Mutant(
        "addresses-by-their-spaces",
        "white space around a next hop does not make it another address",
        "nvaha.core.bodies:canonical",
        replace("address.strip()", by="address"),
        simulated=False,
    ),
    Mutant(
        "mapped-addresses-foreign",
        "an IPv4 address mapped into IPv6 is the IPv4 address",
        "nvaha.core.bodies:canonical",
        replace("mapped or found", by="found"),
        simulated=False,
    ),
    Mutant(
        "octal-guessed",
        "an address that may be read as two is nobody's",
        "nvaha.core.bodies",
        replace('r"(?<![0-9])0+(?=[0-7](?![0-9]))"', by='r"(?<![0-9])0+(?=[0-9])"'),
        simulated=False,
    ),
    Mutant(
        "roles-mixed-up",
        "a next hop moves to the same role",
        "nvaha.core.addresses:Addresses.counterpart",
        replace(
            "self.current.get(target, {}).get(role, {})",
            by="next(iter(self.current.get(target, {}).values()), {})",
        ),
    ),
    Mutant(
        "configurations-by-their-case",
        "IP configurations of two NVAs are matched by name without case",
        "nvaha.core.addresses:Addresses.counterpart",
        replace("there.get(name.casefold())", by="there.get(name)"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "former-addresses-foreign",
        "a route to an address that an NVA had before is the group's own",
        "nvaha.core.addresses:_owners",
        replace("known.former.items()", by="()"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "former-address-is-there",
        "a route to an address that the target has no more is not where it should be",
        "nvaha.core.plan:_route_step",
        replace("addresses.is_current(here, owner)", by="True"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "unknown-nics-pass",
        "NICs whose addresses nobody knows are a problem of the plan",
        "nvaha.core.plan:plan_with",
        replace("_unknown_nics(group, snapshot, addresses)", by="[]"),
        tests=TARGETS,
    ),
    Mutant(
        "absent-nics-are-unknown",
        "a NIC that Azure does not have is no problem of the plan",
        "nvaha.core.plan:_unknown_nics",
        replace("nic_id.casefold() not in snapshot.absent", by="True"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "failed-table-passes",
        "a table that Azure failed to write is written once more",
        "nvaha.core.plan:_route_step",
        replace("last_write_failed(table)", by="False"),
    ),
    Mutant(
        "failed-nic-passes",
        "a public IP that Azure failed to put there is put there once more",
        "nvaha.core.plan:_nic_steps",
        replace("there and not _failed(snapshot, nic_id)", by="there"),
    ),
    Mutant(
        "unsettled-passes",
        "what Azure is still writing is not there yet",
        "nvaha.core.plan:unsettled",
        replace("still_being_written(each)", by="False"),
    ),
    Mutant(
        "attach-before-detach",
        "a public IP is detached before it is attached",
        "nvaha.core.plan:_writes",
        replace("tuple(needs)", by="()"),
    ),
    Mutant(
        "put-back-from-the-target",
        "only a public IP that hangs on nothing is put back",
        "nvaha.core.plan:plan_back",
        replace("not holders(group, snapshot, each)", by="True"),
    ),
    Mutant(
        "had-before-has-now",
        "an address belongs to the NVA that has it now, whoever had it before",
        "nvaha.core.addresses:_owners",
        replace(
            "owners |= {address: (nva, role, name) for nva, roles in current.items() "
            "for role, names in roles.items() for name, address in names.items()}",
            by="for at, owner in {address: (nva, role, name) for nva, roles in current.items() "
            "for role, names in roles.items() for name, address in names.items()}.items():\n"
            "    owners.setdefault(at, owner)",
        ),
        simulated=False,
        tests=("tests/unit/core/test_recognised.py",),
    ),
)

ATTACHING = (
    Mutant(
        "two-for-one-place",
        "of two public IPs that are meant for one IP configuration neither is moved",
        "nvaha.core.attach:places",
        replace("len(rivals) > 1", by="False"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "places-by-their-case",
        "two names of an IP configuration that differ in case are one place",
        "nvaha.core.attach:places",
        replace("wanted.name.casefold()", by="public_ip.ip_configuration or ''"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "pushed-off",
        "no public IP takes the place of one that stays there",
        "nvaha.core.attach:_in_the_way",
        replace("place.public_ip.casefold() not in moving", by="False"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "foreign-holder-ignored",
        "a public IP that somebody else holds is left alone",
        "nvaha.core.attach:held_elsewhere",
        replace("holder_of(resource)", by="None"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "unread-holder-ignored",
        "a public IP that a NIC may carry that could not be read is left alone",
        "nvaha.core.attach:held_elsewhere",
        replace(
            "return None if snapshot.get(nic_id) else f'is held by {unread(snapshot, \"NIC\", nic_id)}'",
            by="return None",
        ),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "version-ignored",
        "a public IP of one IP version is not moved to an IP configuration of another",
        "nvaha.core.attach:_mismatch",
        replace("version != configuration.version", by="False"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "region-ignored",
        "a public IP of one region is not moved to a NIC of another",
        "nvaha.core.attach:_mismatch",
        replace("here != there", by="False"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "failed-public-ip-moved",
        "a public IP in state Failed is not moved",
        "nvaha.core.attach:_mismatch",
        replace("last_write_failed(public_ip)", by="False"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "failed-public-ip-a-problem-where-it-is",
        "a public IP in state Failed is no problem where it is",
        "nvaha.core.attach:_mismatch",
        replace("configuration.public_ip is None", by="True"),
        simulated=False,
        tests=PLANS,
    ),
    Mutant(
        "meant-by-its-case",
        "the IP configuration that is meant for a public IP is found without case",
        "nvaha.core.attach:_is_meant",
        replace(
            "configuration.name.casefold() == public_ip.ip_configuration.casefold()",
            by="configuration.name == public_ip.ip_configuration",
        ),
        simulated=False,
        tests=PLANS,
    ),
)

SURVEYING = (
    Mutant(
        "hidden-not-said",
        "what nobody may read is said to be hidden",
        "nvaha.core.survey:survey",
        replace("set(snapshot.missing) - snapshot.unanswered - snapshot.absent", by="frozenset()"),
        simulated=False,
    ),
    Mutant(
        "absent-called-hidden",
        "what Azure does not have is not hidden",
        "nvaha.core.survey:survey",
        replace(
            "set(snapshot.missing) - snapshot.unanswered - snapshot.absent",
            by="set(snapshot.missing) - snapshot.unanswered",
        ),
        simulated=False,
    ),
    Mutant(
        "unmovable-is-ready",
        "an NVA to which not everything can be moved is not ready",
        "nvaha.core.survey:survey",
        replace("plans[nva.name].problems", by="()"),
        simulated=False,
    ),
    Mutant(
        "unread-nic-is-ready",
        "an NVA whose NIC cannot be read is not ready",
        "nvaha.core.survey:_wrong_at",
        drop('wrong.append(unread(snapshot, "NIC", nic_id))'),
        simulated=False,
    ),
    Mutant(
        "failed-nic-is-ready",
        "an NVA with a NIC in state Failed is not ready",
        "nvaha.core.survey:_wrong_at",
        replace("last_write_failed(nic)", by="False"),
        simulated=False,
    ),
    Mutant(
        "no-forwarding-is-ready",
        "an NVA that routes lead to without IP forwarding is not ready",
        "nvaha.core.survey:_wrong_at",
        replace("not forwards(nic)", by="False"),
        simulated=False,
    ),
    Mutant(
        "dynamic-address-is-ready",
        "an NVA that routes lead to with a dynamic private address is not ready",
        "nvaha.core.survey:_wrong_at",
        replace("each.dynamic", by="False"),
        simulated=False,
    ),
    Mutant(
        "every-nic-must-forward",
        "only NICs that routes lead to need IP forwarding",
        "nvaha.core.survey:_wrong_at",
        replace("role not in routed_roles", by="False"),
        simulated=False,
    ),
    Mutant(
        "foreign-table-is-ready",
        "a table without a route to any NVA is told",
        "nvaha.core.survey:_wrong_for_all",
        replace("not found", by="False"),
        simulated=False,
    ),
    Mutant(
        "dynamic-public-ip-is-ready",
        "a public IP that would get another address when it is moved is told",
        "nvaha.core.survey:_wrong_for_all",
        replace("address_is_dynamic(resource)", by="False"),
        simulated=False,
    ),
)
