"""The story: a patient, two hospitals and an emergency department, on a chain in this process."""

from medaccord.demo.story import play, sample_bundle

__all__ = ["play", "sample_bundle"]
