"""A clinic's own threshold: arithmetic and page of cxr-calibrate."""
