"""Whatever ARM may answer, reading it ends in a plan or in an error that names the resource."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvaha.config import parse
from nvaha.core.bodies import UnreadableBodyError, check
from nvaha.core.plan import plan
from nvaha.core.survey import survey
from nvaha.lab.stage.sample import configuration, environment
from nvaha.model import Resource, Snapshot

SAMPLE = environment()
GROUP = parse(json.dumps(configuration(SAMPLE))).configuration.groups[0]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.just("x" * 5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every node of a JSON value."""
    found = [path] if path else []
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        found += _places(child, (*path, key))
    return found


# Drawing a place in a whole environment takes long on a busy machine, which is no fault of the code.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(st.data())
def test_spoilt_bodies_never_surprise(data: st.DataObject) -> None:
    """A body with a part missing or of a wrong type is planned with, or left out by name."""
    bodies = [copy.deepcopy(dict(body)) for body in SAMPLE.resources]
    spoilt = data.draw(st.sampled_from(bodies))
    spoilt_id = spoilt["id"]
    for _ in range(data.draw(st.integers(1, 3))):
        places = _places(spoilt)
        if not places:
            break
        *parents, last = data.draw(st.sampled_from(places))
        node: Any = spoilt
        for key in parents:
            node = node[key]
        if data.draw(st.booleans()):
            node[last] = data.draw(JUNK)
        else:
            del node[last]
    ids = [body["id"] for body in SAMPLE.resources]
    resources = {
        each.casefold(): Resource(each, 'W/"1"', body) for each, body in zip(ids, bodies, strict=True)
    }
    readable, complaint = {}, ""
    for key, resource in resources.items():
        try:
            check(resource)
        except UnreadableBodyError as error:
            complaint = str(error)
        else:
            readable[key] = resource
    assert len(readable) >= len(resources) - 1
    assert not complaint or (spoilt_id in complaint and len(complaint) < 1000)
    snapshot = Snapshot(readable)
    survey(GROUP, snapshot, {})
    for step in plan(GROUP, snapshot, GROUP.names[1], {}).steps:
        step.edit(resources[step.resource_id.casefold()])
