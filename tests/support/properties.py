"""How the property tests run: nothing depends on the speed of the machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
