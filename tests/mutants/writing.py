"""Mutants of what writes to Azure: plan, apply and the switch worker."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, core

MUTANTS: tuple[Mutant, ...] = (
    core(
        "no-if-match",
        "a write is conditional on what was read",
        "arm",
        "    return Resource(table.id, table.etag, body)",
        '    return Resource(table.id, "*", body)',
        "arm",
    ),
    core(
        "attach-before-detach",
        "a public IP is detached before it is attached",
        "plan",
        "public_ips=public_ips, after=tuple(needs)",
        "public_ips=public_ips, after=()",
        "plan",
    ),
    core(
        "intent-not-recorded",
        "what is about to be written is recorded first",
        "apply",
        "                await self._journal.started(step.key)\n",
        "                pass\n",
    ),
    core(
        "retry-without-reading",
        "a write is tried again on a fresh copy only",
        "apply",
        "again=attempt > 0)",
        "again=False)",
    ),
    core(
        "changed-taken-for-done",
        "a 412 is no success",
        "apply",
        "                error = failure\n",
        """                error = failure
                if isinstance(failure, NetworkError) and failure.fault is NetworkFault.CHANGED:
                    break
""",
    ),
    core(
        "old-copies-written",
        "a resource is written only right after it was read",
        "apply",
        "FRESH_S = 1.0\n",
        "FRESH_S = 1e9\n",
    ),
    core(
        "copy-stamped-late",
        "a copy's age counts from before it was asked for",
        "apply",
        "        pass_.read(resource, asked_at, self._clock.monotonic())",
        "        pass_.read(resource, self._clock.monotonic(), self._clock.monotonic())",
    ),
    core(
        "not-verified",
        "a switch is done when it was read back as planned",
        "switch",
        "            refused, unanswered = applied.refused, applied.unanswered\n",
        """            refused, unanswered = applied.refused, applied.unanswered
            if not refused and not unanswered:
                return ()
""",
    ),
    core(
        "roles-mixed-up",
        "a next hop moves to the same role",
        "plan",
        "        there = self.addresses.get(target, {}).get(role, {})\n",
        "        there = next(iter(self.addresses.get(target, {}).values()), {})\n",
        "plan",
    ),
    core(
        "foreign-holder-ignored",
        "a public IP that somebody else holds is left alone",
        "plan",
        '    return f"is held by {holder}, which is not this group\'s"',
        "    return None",
        "plan",
        simulated=False,
    ),
    core(
        "no-generation-check",
        "a switch runs only while the state says so",
        "switch",
        """        state.phase is Phase.SWITCHING
        and state.generation == message.generation
        and state.request is not None
        and state.request.operation == message.operation
""",
        """        state.phase is Phase.SWITCHING
        and state.request is not None
""",
    ),
    core(
        "no-lease-check",
        "the lease is checked before a write",
        "switch",
        """            raise Superseded("it was superseded while it was carried out")
        self._tenure.check()
""",
        """            raise Superseded("it was superseded while it was carried out")
""",
    ),
    core(
        "fence-not-last",
        "the fence is passed right before the write",
        "apply",
        """            if look == 0:
                await self._journal.started(step.key)
            await self._fence()
""",
        """            await self._fence()
            if look == 0:
                await self._journal.started(step.key)
""",
    ),
    core(
        "fields-selected",
        "unknown properties survive",
        "arm",
        """        public_ip = public_ips[name]
        if public_ip is None:""",
        """        public_ip = public_ips[name]
        configuration["properties"].pop("unheardOf", None)
        if public_ip is None:""",
        "arm",
    ),
)
