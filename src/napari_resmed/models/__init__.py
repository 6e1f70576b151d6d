"""Models as folders: save, load, list."""
