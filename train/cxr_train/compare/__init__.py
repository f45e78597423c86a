"""cxr-train compare: networks side by side."""
