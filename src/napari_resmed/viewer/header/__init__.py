"""The Header dock."""
