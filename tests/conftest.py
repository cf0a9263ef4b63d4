"""Settings of all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Time never decides a test: the first call of a compiled function takes seconds. Examples are the same on every run.
settings.register_profile("swathe", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("swathe")
