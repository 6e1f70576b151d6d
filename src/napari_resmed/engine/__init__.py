"""One long-lived worker process that runs jobs for a face."""

from __future__ import annotations

__all__ = ["PROTOCOL"]

# What a face may ask of a worker: counted up whenever a job takes another option, or a case another field. A face that
# is installed apart from the core, as 3D Slicer's is, tells by it whether the core is too old; it reads this file only.
PROTOCOL = 4
