"""cxr-train audit: what in the data could fool a network."""
