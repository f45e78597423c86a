"""cxr-train evaluate: a model on a split, and its card's page."""
