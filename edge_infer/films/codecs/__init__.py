"""Bytes become pixels, for DICOM and pictures alike."""
