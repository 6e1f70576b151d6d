from __future__ import annotations

import pytest
import torch

from napari_resmed.errors import InputError, ModelError
from napari_resmed.events import Progress, Started
from napari_resmed.jobs import find_job
from napari_resmed.jobs.warm_up import warm_up
from napari_resmed.models.catalogue import find_model
from napari_resmed.predict import warm
from napari_resmed.predict.machine import choose_machine

pytestmark = pytest.mark.usefixtures("own_models")


class TestWarmUp:
    def test_loads_what_the_next_job_uses(self) -> None:
        warm._networks.clear()
        events = list(warm_up("bands", "cpu", "fp32"))
        assert events == [Started("Loading bands"), Progress("Loaded", 1.0)]
        (loaded,) = warm._networks.values()
        assert warm.warm_network(find_model("bands"), choose_machine("cpu", "fp32")) is loaded
        assert isinstance(loaded, torch.nn.Module)

    def test_refuses_what_a_job_would(self) -> None:
        with pytest.raises(ModelError, match="no model 'x'"):
            list(warm_up("x"))
        with pytest.raises(InputError, match="the device is 'gpu'"):
            list(warm_up("bands", "gpu"))

    def test_is_a_job(self) -> None:
        assert find_job("warm_up") is warm_up
