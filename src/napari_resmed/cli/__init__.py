"""The command line; :mod:`napari_resmed.__main__` starts it."""
