"""The napari face. Nothing here imports torch: the work is done in the engine's process."""
