"""3D Slicer's face of napari-resmed: MRML nodes to values and back, the engine's client, the panel.

Nothing here computes: whatever needs torch runs in the engine's worker, a ``PythonSlicer`` process of its own. What the
panel loads before the core is installed, and whatever that imports at the top of its file, needs nothing of the core.
"""
