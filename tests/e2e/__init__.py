"""Whole apps as processes of their own, on Azurite and the simulator."""

import pytest

pytest.register_assert_rewrite("tests.e2e.story")
