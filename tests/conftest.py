"""Settings of every test."""

from hypothesis import HealthCheck, settings

# How long an example takes is the machine's matter, and a busy one must not fail a property; pytest bounds the whole test.
settings.register_profile("tidewheel", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tidewheel")
