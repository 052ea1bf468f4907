"""Settings of the property tests of the core."""

from hypothesis import settings

# Shared machines pause at will: a slow run is no failure here, benchmarks look at time.
settings.register_profile("core", deadline=None)
settings.load_profile("core")
