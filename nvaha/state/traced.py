"""The span of a decision that begins a switch; whoever carries it out goes on with its trace."""

from __future__ import annotations

from dataclasses import replace

from opentelemetry.trace import Span

from nvaha.core.decision import Decision
from nvaha.model import GroupState
from nvaha.ports import correlation_id
from nvaha.tracing import Attribute, begin, carried, named


class Traced:
    """One decision, however often it is tried; there is no span while it begins nothing."""

    def __init__(self) -> None:
        self._span: Span | None = None

    def stamped(self, before: GroupState, decision: Decision) -> Decision:
        """Return a decision with its trace context in the switch that it begins, if somebody traces it."""
        request, switch = decision.send, decision.state.switch
        begun = before.request.operation if before.request else None
        if request is None or switch is None or request.operation == begun:
            return decision
        if self._span is None:
            self._span = begin("nvaha.decide")
        traceparent = carried(self._span)
        if traceparent is None:
            return decision
        request = replace(request, traceparent=traceparent)
        state = replace(decision.state, switch=replace(switch, request=request))
        return replace(decision, state=state, send=request)

    def end(self, state: GroupState | None) -> None:
        """End the span if the switch that it is of stands in the state that was written, if one was."""
        request = state.request if state else None
        if self._span is None or request is None or request.traceparent != carried(self._span):
            return
        attributes: dict[str, Attribute] = {
            "group": request.group,
            "operation": request.operation,
            "generation": request.generation,
            "epoch": request.epoch,
            "trigger": str(request.trigger),
            "source": request.source,
            "target": request.target,
            "reason": request.reason,
            "correlation_id": correlation_id(request.operation),
        }
        self._span.set_attributes(named(attributes))
        self._span.end()
