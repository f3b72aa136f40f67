"""Settings that all tests share."""

from hypothesis import HealthCheck, settings

# Shared machines stall now and then: how long an example takes is no finding.
settings.register_profile("gemwatch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gemwatch")
