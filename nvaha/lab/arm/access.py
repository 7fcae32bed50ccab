"""Who may do what, and which permissions the calls needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from nvaha.lab.arm.address import Address
from nvaha.lab.arm.errors import forbidden, linked_forbidden
from nvaha.lab.arm.shape import children

Json = dict[str, Any]

# What a PUT of a NIC or public IP implies on the resources that it refers to: Azure's linked access checks.
_JOINS = {
    "subnet": "virtualNetworks/subnets/join/action",
    "publicIPAddress": "publicIPAddresses/join/action",
    "networkSecurityGroup": "networkSecurityGroups/join/action",
    "gatewayLoadBalancer": "loadBalancers/frontendIPConfigurations/join/action",
    "loadBalancerBackendAddressPools": "loadBalancers/backendAddressPools/join/action",
    "loadBalancerInboundNatRules": "loadBalancers/inboundNatRules/join/action",
    "applicationGatewayBackendAddressPools": "applicationGateways/backendAddressPools/join/action",
    "applicationSecurityGroups": "applicationSecurityGroups/joinIpConfiguration/action",
    "publicIPPrefix": "publicIPPrefixes/join/action",
    "ddosProtectionPlan": "ddosProtectionPlans/join/action",
}


@dataclass(frozen=True, slots=True)
class _Denial:
    principal: str
    action: str
    scope: str

    def forbids(self, principal: str, action: str, resource_id: str) -> bool:
        scope = self.scope.casefold().rstrip("/")
        inside = resource_id.casefold() == scope or resource_id.casefold().startswith(scope + "/")
        return (
            inside
            and fnmatchcase(principal, self.principal)
            and fnmatchcase(action.casefold(), self.action.casefold())
        )


class Access:
    """Grants everything that is not denied, and remembers what was asked for."""

    def __init__(self) -> None:
        self.needed: set[tuple[str, str]] = set()
        self._denials: list[_Denial] = []

    def deny(self, principal: str, action: str, scope: str) -> None:
        """Refuse an action from now on.

        Args:
            principal: who, or a pattern.
            action: such as `Microsoft.Network/routeTables/write`, or a pattern.
            scope: an id; it covers everything below.
        """
        self._denials.append(_Denial(principal, action, scope))

    def allow_all(self) -> None:
        """Take every denial back."""
        self._denials.clear()

    def check(self, principal: str, method: str, address: Address, sent: object) -> None:
        """Raise 403 unless the principal may send the request; `sent` is the body of a PUT."""
        action, scope = _action(method, address)
        self.needed.add((action, scope))
        if self._denied(principal, action, scope):
            told = f"{scope}/providers/Microsoft.Network" if address.group and not address.name else scope
            raise forbidden(principal, action, told)
        if method != "PUT" or not isinstance(sent, dict):
            return
        for linked_action, linked in _joins({"type": f"Microsoft.Network/{address.kind}", **sent}):
            self.needed.add((linked_action, linked))
            if self._denied(principal, linked_action, linked):
                raise linked_forbidden(principal, action, scope, linked_action, linked)

    def may_read(self, principal: str, kind: str, resource_id: str) -> bool:
        """Tell whether a list shows a resource to a principal; Azure leaves out what it may not read."""
        return not self._denied(principal, f"Microsoft.Network/{kind}/read", resource_id)

    def _denied(self, principal: str, action: str, resource_id: str) -> bool:
        return any(each.forbids(principal, action, resource_id) for each in self._denials)


def _action(method: str, address: Address) -> tuple[str, str]:
    verb = "write" if method == "PUT" else "read"
    if address.operation is not None:
        return "Microsoft.Network/locations/operations/read", address.scope
    if address.route is not None:
        return f"Microsoft.Network/{address.kind}/routes/{verb}", address.route_id
    scope = address.resource_id if address.name else address.scope
    return f"Microsoft.Network/{address.kind}/{verb}", scope


def _joins(body: Json) -> Iterator[tuple[str, str]]:
    properties = body.get("properties")
    if not isinstance(properties, dict):
        return
    parts: list[object] = [properties]
    if isinstance(settings := properties.get("ddosSettings"), dict):
        parts.append(settings)
    found = children(body) if body["type"].endswith("networkInterfaces") else []
    if isinstance(found, list):
        parts += [each.get("properties") for each in found if isinstance(each, dict)]
    for part in parts:
        if not isinstance(part, dict):
            continue
        for name, action in _JOINS.items():
            references = part.get(name) or []
            for reference in references if isinstance(references, list) else [references]:
                if isinstance(reference, dict) and "id" in reference:
                    yield f"Microsoft.Network/{action}", str(reference["id"])
