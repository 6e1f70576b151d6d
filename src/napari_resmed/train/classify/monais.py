"""Names of MONAI's own pretrained networks."""

from __future__ import annotations

__all__ = ["DENSENETS", "EFFICIENTNETS", "MEDICALNET", "PREFIX", "PRETRAINED"]

PREFIX = "monai:"
# MedicalNet's (Chen et al., arXiv 1904.00625) of volumes; ImageNet's of colour pictures, those of DenseNet with the
# names of MONAI's classes.
MEDICALNET = ("resnet10", "resnet18", "resnet34", "resnet50")
DENSENETS = {"densenet121": "DenseNet121", "densenet169": "DenseNet169"}
EFFICIENTNETS = tuple(f"efficientnet-b{number}" for number in range(5))
PRETRAINED = (*MEDICALNET, *DENSENETS, *EFFICIENTNETS)
