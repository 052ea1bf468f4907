"""Measurements that print figures; none is asserted by a timed test."""
