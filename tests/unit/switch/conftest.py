"""What the tests of a switch begin with."""

from __future__ import annotations

import pytest

from tests.fakes import Outside
from tests.unit.switch.stage import outside


@pytest.fixture
def out() -> Outside:
    """Return an outside in which a switch from `a` to `b` was asked for and nobody has begun it."""
    return outside()
