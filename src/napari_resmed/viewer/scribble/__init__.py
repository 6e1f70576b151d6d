"""The Scribble dock."""
