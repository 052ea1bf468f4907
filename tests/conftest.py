"""What every test shares: Hypothesis without deadlines, since machines that test are busy ones."""

from hypothesis import settings

settings.register_profile("medaccord", deadline=None)
settings.load_profile("medaccord")
