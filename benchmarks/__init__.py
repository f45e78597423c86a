"""Measurements run by hand; none is asserted in a test."""
