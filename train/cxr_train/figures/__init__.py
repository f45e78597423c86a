"""Figures of scores: metrics with intervals, operating points, temperature."""
