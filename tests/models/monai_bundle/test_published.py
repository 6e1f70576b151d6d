"""MONAI's published bundles, whose configurations are among the shared data; their weights are made at random."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_resmed.errors import InputError
from napari_resmed.models.model import Model
from napari_resmed.models.monai_bundle.describe import describe_bundle
from napari_resmed.models.monai_bundle.find import open_bundle

# What each becomes; they are run by benchmarks/bundles.py, which takes minutes.
TAKEN = {
    "spleen_ct_segmentation": ("UNet", ("CT",), 1, (96, 96, 96), 0.5),
    "prostate_mri_anatomy": ("UNet", ("MR",), 2, (96, 96, 96), 0.5),
    "brats_mri_segmentation": ("SegResNet", ("T1c", "T1", "T2", "FLAIR"), 3, (240, 240, 160), 0.5),
    "swin_unetr_btcv_segmentation": ("SwinUNETR", ("CT",), 13, (96, 96, 96), 0.5),
    "ventricular_short_axis_3label": ("UNet", ("MR",), 3, (1, 256, 256), 0.25),
    "endoscopic_tool_segmentation": ("FlexibleUNet", ("R", "G", "B"), 1, (1, 736, 480), 0.0),
}
REFUSED = {
    "renalStructures_UNEST_segmentation": "scripts.networks.unest.UNesT is no part of MONAI",
    "wholeBrainSeg_Large_UNEST_segmentation": "scripts.networks.unest_base_patch_4.UNesT is no part of MONAI",
    "vista3d": "scripts.inferer.Vista3dInferer is no part of MONAI",
    "pathology_nuclei_segmentation_classification": "nucleus_prediction, horizontal_vertical, type_prediction, expected",
    "pathology_tumor_detection": "answers classification, expected a segmentation",
    "classification_template": "answers classes, expected a segmentation",
    "mednist_reg": "answers magnitude, expected a segmentation",
    "maisi_ct_generative": "its task is 'CT image synthesis'; expected a segmentation",
    "brats_mri_axial_slices_generative_diffusion": "answers image, expected a segmentation",
    # Its paths come in a file of their own, which is not among the data.
    "pancreas_ct_dints_segmentation": "loads ./models/search_code_18590.pt, which is not there",
}


@pytest.fixture(scope="module")
def bundles(shared_data: Path) -> Path:
    folder = shared_data / "bundles"
    if not folder.is_dir():
        pytest.skip("the shared data have no bundles")
    return folder


def described(folder: Path) -> Model:
    with open_bundle(folder) as bundle:
        return describe_bundle(bundle, folder.name)


class TestPublished:
    @pytest.mark.parametrize("name", TAKEN)
    def test_taken(self, name: str, bundles: Path) -> None:
        model = described(bundles / name)
        found = (model.network, model.channels, len(model.labels), model.patch, model.overlap)
        assert found == TAKEN[name]

    @pytest.mark.parametrize("name", REFUSED)
    def test_refused_with_the_reason(self, name: str, bundles: Path) -> None:
        with pytest.raises(InputError, match=REFUSED[name]):
            described(bundles / name)

    def test_none_is_forgotten(self, bundles: Path) -> None:
        assert {place.name for place in bundles.iterdir() if place.is_dir()} == TAKEN.keys() | REFUSED.keys()

    def test_regions_of_brain_tumours(self, bundles: Path) -> None:
        model = described(bundles / "brats_mri_segmentation")
        assert model.regions == (1, 2, 4)  # core, whole, enhancing
        assert model.region_order == (2, 1, 4)
        assert [label.name for label in model.labels] == ["Tumor core", "Whole tumor", "Enhancing tumor"]

    def test_clean_up_of_the_prostate(self, bundles: Path) -> None:
        cleanup = described(bundles / "prostate_mri_anatomy").cleanup
        assert cleanup.keys() == {1, 2}
        assert all(wish.largest_component for wish in cleanup.values())
