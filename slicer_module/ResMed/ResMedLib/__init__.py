"""3D Slicer's face of napari-resmed: MRML nodes to values and back, the engine's client, the panel.

Nothing here computes: whatever needs torch runs in the engine's worker, a ``PythonSlicer`` process of its own. Only
``install``, ``parameters`` and ``panel`` may be imported before the core is installed.
"""
