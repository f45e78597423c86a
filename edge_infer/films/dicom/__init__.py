"""A DICOM file becomes a radiograph."""
