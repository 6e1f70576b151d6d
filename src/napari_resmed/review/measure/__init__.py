"""What can be measured of the structures in a label map, and of an image below them."""

from napari_resmed.review.measure.figures import FIGURES, Figure
from napari_resmed.review.measure.measurement import Measurement, measure

__all__ = ["FIGURES", "Figure", "Measurement", "measure"]
