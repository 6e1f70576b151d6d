from __future__ import annotations

import pytest
import torch
from torch.torch_version import TorchVersion

from napari_resmed.errors import InputError
from napari_resmed.predict.machine import PRECISIONS, Machine, check_devices, choose_machine, is_out_of_memory


class TestDevice:
    def test_auto_is_one_that_works(self) -> None:
        machine = choose_machine()
        assert machine.device.type == ("cuda" if torch.cuda.is_available() else machine.device.type)
        assert torch.ones(3, device=machine.device, dtype=machine.dtype).sum() == 3

    @pytest.mark.parametrize(("version", "device"), [("2.7.1", "cpu"), ("2.8.0", "mps"), ("2.13.0+cpu", "mps")])
    def test_auto_takes_apples_gpu_where_it_segments(
        self, version: str, device: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # an NVIDIA GPU would come first
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
        monkeypatch.setattr(torch, "__version__", TorchVersion(version))
        assert choose_machine().device.type == device

    def test_cpu_is_always_there(self) -> None:
        assert choose_machine("cpu").device.type == "cpu"

    def test_a_gpu_that_is_not_there(self) -> None:
        count = torch.cuda.device_count()
        with pytest.raises(InputError, match=f"cuda:{count} is not there: this machine has {count} usable NVIDIA GPUs"):
            choose_machine(f"cuda:{count}")

    @pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has an Apple GPU")
    def test_no_apple_gpu(self) -> None:
        with pytest.raises(InputError, match="needs an Apple GPU"):
            choose_machine("mps")

    @pytest.mark.parametrize("name", ["", "gpu", "cuda:x", "cuda:-1", "meta", "CPU please"])
    def test_an_unknown_name(self, name: str) -> None:
        with pytest.raises(InputError, match=r"expected auto, cpu, cuda, cuda:N or mps|is not there"):
            choose_machine(name)

    def test_more_than_there_are(self) -> None:
        count = torch.cuda.device_count() + 1
        check_devices(choose_machine("cpu"), 5)  # processes may share it
        with pytest.raises(InputError, match=f"found {max(2, count)} devices, and this machine has"):
            check_devices(Machine(torch.device("cuda"), "fp32"), max(2, count))


class TestPrecision:
    @pytest.mark.parametrize("precision", ["fp32", "bf16"])
    def test_what_is_asked_for(self, precision: str) -> None:
        machine = choose_machine("cpu", precision)
        assert machine.precision == precision
        assert machine.dtype == PRECISIONS[precision]

    def test_auto_on_a_cpu_is_bf16_only_where_it_computes_in_it(self) -> None:
        has = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        assert choose_machine("cpu").precision == ("bf16" if has else "fp32")

    def test_half_floats_need_a_gpu(self) -> None:
        with pytest.raises(InputError, match="fp16 needs a GPU; on the CPU choose fp32 or bf16"):
            choose_machine("cpu", "fp16")

    def test_apples_gpus_compute_in_full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
        assert choose_machine("mps").precision == "fp32"
        for precision in ("bf16", "fp16"):
            with pytest.raises(InputError, match="not for Apple GPUs"):
                choose_machine("mps", precision)

    @pytest.mark.parametrize("precision", ["", "fp64", "FP32", "int8"])
    def test_an_unknown_name(self, precision: str) -> None:
        with pytest.raises(InputError, match=f"'{precision}', expected auto, fp32, bf16, fp16"):
            choose_machine("cpu", precision)


class TestOutOfMemory:
    def test_what_the_processor_says(self) -> None:
        with pytest.raises(RuntimeError) as caught:
            torch.empty(2**60, dtype=torch.uint8)
        assert is_out_of_memory(caught.value)

    @pytest.mark.parametrize(
        "problem",
        [
            MemoryError(),
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
            RuntimeError("CUDA error: out of memory"),
            RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
            RuntimeError("[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory"),
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
            RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        ],
    )
    def test_what_other_machines_say(self, problem: Exception) -> None:
        # Words of torch on systems that are not here.
        assert is_out_of_memory(problem)

    @pytest.mark.parametrize(
        "problem",
        [
            RuntimeError("CUDA error: an illegal memory access was encountered"),
            RuntimeError("unsupported operation: some elements refer to a single memory location"),
            RuntimeError("unsupported memory format option Contiguous"),
            RuntimeError("Sizes of tensors must match except in dimension 1"),
            ValueError("out of memory"),
            KeyboardInterrupt(),
        ],
    )
    def test_what_only_speaks_of_memory(self, problem: BaseException) -> None:
        assert not is_out_of_memory(problem)
