"""The Segment dock."""
