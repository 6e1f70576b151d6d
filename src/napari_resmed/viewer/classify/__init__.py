"""The Classify dock."""
