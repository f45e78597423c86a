"""`cxr-desk`: the live day in a browser on the clinic's own PC."""
