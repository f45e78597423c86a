"""Rows become a clinic's day: the worklist, its order, and its three written forms."""
