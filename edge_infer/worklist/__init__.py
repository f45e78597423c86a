"""The worklist: rows, decisions, order, the site file, drift."""
