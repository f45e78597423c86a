"""Films in over the wire, results back into the archive; installed by the extra `dicom`."""
