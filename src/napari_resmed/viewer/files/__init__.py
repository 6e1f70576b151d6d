"""Files to layers and back: readers, writers, samples."""
