"""What was found, as DICOM objects of the film's own study."""
