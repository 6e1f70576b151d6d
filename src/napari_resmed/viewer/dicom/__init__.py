"""The Load DICOM dock."""
