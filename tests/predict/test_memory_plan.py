from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from napari_resmed.errors import InputError
from napari_resmed.labels import Label, LabelSet
from napari_resmed.models.model import Model
from napari_resmed.predict.machine import Machine
from napari_resmed.predict.memory_plan import MemoryPlan, free_bytes, plan_memory
from napari_resmed.predict.windows import Windows
from napari_resmed.prepare.preparation import Preparation

CPU = Machine(torch.device("cpu"), "fp32")
GPU = Machine(torch.device("cuda"), "bf16")  # planned for, not used
MUCH = 2**50
SHAPE = (300, 256, 256)


def model(structures: int = 104) -> Model:
    return Model(
        name="many",
        network="UNet",
        arguments={"channels": [16, 32, 64], "strides": [2, 2], "out_channels": 1 + structures},
        preparation=Preparation((1.5,) * 3),
        patch=(96, 96, 96),
        labels=LabelSet(tuple(Label(k, f"structure {k}", (k, 1, 1)) for k in range(1, structures + 1))),
        channels=("CT",),
    )


def planned(
    free: tuple[int, int], machine: Machine = CPU, shape: tuple[int, int, int] = SHAPE, structures: int = 104
) -> MemoryPlan:
    return plan_memory(model(structures), shape, shape, machine, Windows((1, 1, 1), 0.25, (2,)), free)


class TestPlanMemory:
    def test_what_fits_is_the_models_window_in_single_precision(self) -> None:
        windows = planned((MUCH, MUCH)).windows
        assert windows == Windows((96, 96, 96), 0.25, (2,), 1, torch.float32, (4, 4, 4))

    def test_half_precision_sums_come_first(self) -> None:
        whole = planned((MUCH, MUCH))
        free = int((whole.belt_bytes * 0.7 + whole.window_bytes + whole.image_bytes) / 0.8)
        less = planned((free, free))
        assert (less.windows.sums, less.windows.patch) == (torch.float16, (96, 96, 96))
        assert less.belt_bytes < 0.6 * whole.belt_bytes

    def test_then_smaller_windows(self) -> None:
        whole = planned((MUCH, MUCH))
        free = int((whole.belt_bytes * 0.4 + whole.window_bytes + whole.image_bytes) / 0.8)
        windows = planned((free, free)).windows
        assert windows.patch[0] < 96
        assert all(edge % 4 == 0 for edge in windows.patch)

    def test_it_fits_what_is_free(self) -> None:
        for gigabytes in (2, 3, 5, 8):
            plan = planned((gigabytes * 2**30,) * 2)
            assert plan.belt_bytes + plan.window_bytes + plan.image_bytes <= 0.8 * gigabytes * 2**30

    def test_what_fits_in_no_way(self) -> None:
        with pytest.raises(
            InputError, match=r"many sees the image as 300×256×256 voxels of 105 classes.* GB that can be had"
        ):
            planned((2**28, 2**28))

    def test_height_costs_the_image_alone(self) -> None:
        low, high = planned((MUCH, MUCH)), planned((MUCH, MUCH), shape=(3000, 256, 256))
        assert low.belt_bytes == high.belt_bytes
        assert high.image_bytes == 10 * low.image_bytes

    def test_of_an_image_of_which_a_part_goes_through_the_whole_is_prepared(self) -> None:
        windows, part = Windows((1, 1, 1)), (100, 100, 100)
        plan = plan_memory(model(), part, SHAPE, CPU, windows, (MUCH, MUCH), False, SHAPE)
        alone = plan_memory(model(), part, part, CPU, windows, (MUCH, MUCH))
        whole = plan_memory(model(), SHAPE, SHAPE, CPU, windows, (MUCH, MUCH))
        assert (plan.belt_bytes, plan.window_bytes) == (alone.belt_bytes, alone.window_bytes)
        assert plan.image_bytes == whole.image_bytes

    def test_what_torch_keeps_of_earlier_work_is_free(self, monkeypatch: pytest.MonkeyPatch) -> None:
        known = {"mem_get_info": (1000, 9000), "memory_reserved": 700, "memory_allocated": 200}
        for name, value in known.items():
            monkeypatch.setattr(torch.cuda, name, lambda _, value=value: value)
        assert free_bytes(Machine(torch.device("cuda"), "fp32"))[0] == 1500

    def test_a_gpu_takes_several_at_a_time_as_far_as_it_has_memory(self) -> None:
        whole = planned((MUCH, MUCH), GPU)
        assert whole.windows.batch == 8
        one = whole.window_bytes // 8
        assert planned((int((whole.belt_bytes + 2.5 * one) / 0.8), MUCH), GPU).windows.batch == 2

    def test_a_gpu_keeps_the_sums_where_they_fit(self) -> None:
        whole = planned((MUCH, MUCH), GPU)
        assert whole.belt_on_device
        one = whole.window_bytes // 8
        beside = planned((int((whole.belt_bytes + 1.5 * one) / 0.8), MUCH), GPU)
        assert (beside.belt_on_device, beside.windows.batch) == (True, 1)
        apart = planned((int(1.5 * one / 0.8), MUCH), GPU)
        assert (apart.belt_on_device, apart.windows.patch) == (False, (96, 96, 96))
        assert not planned((MUCH, MUCH)).belt_on_device

    def test_nnunets_models_are_summed_as_nnunet_does(self) -> None:
        nnunet = replace(model(), even_windows=True)
        plan = plan_memory(nnunet, SHAPE, SHAPE, CPU, Windows((1, 1, 1), even=True), (MUCH, MUCH))
        assert plan.windows.sums == torch.float16
        assert plan.belt_bytes == 96 * 256 * 256 * (105 * 2 + 4)

    def test_features_are_summed_where_they_are_few(self) -> None:
        ours = replace(model(), network="ResidualEncoderUNet", arguments={"features": [16, 32], "strides": [2]})
        plan = plan_memory(ours, SHAPE, SHAPE, CPU, Windows((1, 1, 1)), (MUCH, MUCH))
        assert (plan.in_parts, plan.windows.of_features, plan.windows.sums) == (True, True, torch.float32)
        assert plan.belt_bytes == 96 * 256 * 256 * (16 * 4 + 4)
        # In fp32 nnU-Net's rounding decides its labels, so scores are summed as it does.
        nnunet = plan_memory(
            replace(ours, even_windows=True), SHAPE, SHAPE, CPU, Windows((1, 1, 1), even=True), (MUCH, MUCH)
        )
        assert (nnunet.in_parts, nnunet.windows.of_features) == (True, False)

    @pytest.mark.parametrize(
        ("changes", "mirror_axes", "machine"),
        [
            ({"labels": model(14).labels}, (), CPU),  # about as many features
            ({"network": "UNet"}, (), CPU),
            ({"members": 2}, (), CPU),
            ({}, (2,), CPU),
            ({}, (), GPU),
        ],
    )
    def test_else_the_network_stays_whole(self, changes: dict, mirror_axes: tuple, machine: Machine) -> None:
        ours = replace(model(), network="ResidualEncoderUNet", arguments={"features": [16, 32], "strides": [2]})
        wishes = Windows((1, 1, 1), mirror_axes=mirror_axes)
        plan = plan_memory(replace(ours, **changes), SHAPE, SHAPE, machine, wishes, (MUCH, MUCH))
        assert (plan.in_parts, plan.windows.of_features) == (False, False)

    def test_several_passes_and_uncertainty_take_more(self) -> None:
        plans = [
            plan_memory(model(), SHAPE, SHAPE, CPU, Windows((1, 1, 1), mirror_axes=axes), (MUCH, MUCH), unsure)
            for axes, unsure in (((), False), ((2,), False), ((2,), True))
        ]
        assert plans[0].window_bytes < plans[1].window_bytes < plans[2].window_bytes
        assert plans[1].belt_bytes < plans[2].belt_bytes
        assert plans[1].image_bytes < plans[2].image_bytes

    def test_free_memory_of_a_cpu_is_one(self) -> None:
        for_network, for_program = free_bytes(CPU)
        assert for_network == for_program > 0
        assert replace(CPU, precision="bf16").device.type == "cpu"
