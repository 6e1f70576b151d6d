from __future__ import annotations

from dataclasses import replace

import pytest

from napari_resmed.models.as_base import why_no_base
from napari_resmed.models.catalogue import find_model
from napari_resmed.models.model import Model


@pytest.fixture
def model() -> Model:
    return find_model("brain-mr")


def test_one_that_segments(model: Model) -> None:
    assert why_no_base(model) == ""


@pytest.mark.parametrize(("network", "arguments"), [("TorchScript", {}), ("BasicUNet", {"spatial_dims": 2})])
def test_windows_of_one_size_and_slices(model: Model, network: str, arguments: dict[str, int]) -> None:
    said = why_no_base(replace(model, network=network, arguments=arguments, one_window=None))
    assert said.startswith("the network of brain-mr takes windows of one size, or single slices")
