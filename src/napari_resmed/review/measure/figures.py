"""The figures of a structure: what they are called, and in which unit."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FIGURES", "Figure"]


@dataclass(frozen=True)
class Figure:
    """One column of a table: its key in a row, its title for people, its unit, and the decimals worth seeing."""

    key: str
    title: str
    unit: str = ""
    decimals: int = 1
    of_image: bool = False

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


FIGURES = (
    Figure("volume_ml", "Volume", "mL", 3),
    Figure("intensity_mean", "Mean", decimals=2, of_image=True),
    Figure("intensity_sd", "SD", decimals=2, of_image=True),
    Figure("intensity_median", "Median", decimals=2, of_image=True),
    Figure("intensity_min", "Min", decimals=2, of_image=True),
    Figure("intensity_max", "Max", decimals=2, of_image=True),
    Figure("diameter_3d_mm", "Diameter 3D", "mm"),
    Figure("diameter_axial_mm", "Diameter axial", "mm"),
    Figure("surface_area_mm2", "Surface", "mm²"),
    Figure("centroid_x_mm", "Centre L", "mm"),
    Figure("centroid_y_mm", "Centre P", "mm"),
    Figure("centroid_z_mm", "Centre S", "mm"),
    Figure("voxels", "Voxels", decimals=0),
    Figure("box_first_z", "Box first z", decimals=0),
    Figure("box_first_y", "Box first y", decimals=0),
    Figure("box_first_x", "Box first x", decimals=0),
    Figure("box_size_z", "Box size z", "voxels", 0),
    Figure("box_size_y", "Box size y", "voxels", 0),
    Figure("box_size_x", "Box size x", "voxels", 0),
)
