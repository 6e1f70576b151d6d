from __future__ import annotations

from pathlib import Path

import dask
import nibabel as nib
import numpy as np
import pytest

from napari_resmed.errors import InputError
from napari_resmed.io import read, write
from napari_resmed.jobs.cluster import segment_on_cluster
from napari_resmed.volume import Volume
from tests.affines import make_affine

OPTIONS = {"device": "cpu", "precision": "fp32"}


@pytest.mark.usefixtures("own_models")
class TestLocal:
    def test_every_image_is_done_or_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import distributed  # noqa: F401  fills in what is changed here

        # As long as a busy machine takes to start processes.
        monkeypatch.setattr("napari_resmed.jobs.cluster.CONNECT_SECONDS", 600)
        patient = {f"distributed.comm.timeouts.{what}": "600s" for what in ("connect", "tcp")}
        pairs = []
        for number in range(3):
            path = tmp_path / f"{number}.nii.gz"
            data = np.random.default_rng(number).random((20, 22, 24), dtype=np.float32)
            write(Volume(data if number else np.ones_like(data), make_affine()), path)
            pairs.append((path, tmp_path / f"{number}_seg.nii.gz"))
        odd = nib.load(pairs[2][0])
        odd.set_qform(np.diag([-1, 1, 1, 1]), 1)
        nib.save(odd, pairs[2][0])
        with dask.config.set(patient):
            results = dict(segment_on_cluster(pairs, "local:2", "bands", OPTIONS))
        assert isinstance(results[0], InputError)
        assert "the value 1 everywhere" in str(results[0])
        assert not pairs[0][1].exists()
        for number in (1, 2):
            assert results[number]["model"] == "bands"  # type: ignore[index]
            assert read(pairs[number][1]).same_grid(read(pairs[number][0]))
        (warning,) = results[2]["warnings"]  # type: ignore[index]
        assert warning.startswith("sform and qform differ")


class TestRefusals:
    @pytest.mark.parametrize("cluster", ["local:0", "local:many", "local:"])
    def test_a_number_of_processes_that_is_none(self, cluster: str) -> None:
        with pytest.raises(InputError, match="expected local:N"):
            list(segment_on_cluster([], cluster, "bands", OPTIONS))

    def test_no_scheduler_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("napari_resmed.jobs.cluster.CONNECT_SECONDS", 1)
        with pytest.raises(InputError, match="no Dask scheduler answers at tcp://127.0.0.1:9"):
            list(segment_on_cluster([], "tcp://127.0.0.1:9", "bands", OPTIONS))
