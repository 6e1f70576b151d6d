from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from napari_resmed.errors import InputError, ModelError
from napari_resmed.events import Preview
from napari_resmed.jobs.segment import segment
from napari_resmed.jobs.train import train
from napari_resmed.labels import Label, LabelSet
from napari_resmed.models.folder import load_model, read_card, weights_file
from napari_resmed.models.nnunet import import_nnunet
from napari_resmed.predict.machine import choose_machine
from napari_resmed.predict.warm import warm_network
from napari_resmed.prepare.normalization import Normalization
from napari_resmed.volume import Volume
from tests.affines import make_affine
from tests.models.nnunet.folders import KINDS, configuration, old_configuration, our_weights, write
from tests.train.small import case, finish


@pytest.fixture
def image() -> Volume:
    voxels = np.random.default_rng(0).integers(-1000, 1000, (12, 20, 18)).astype(np.int16)
    return Volume(voxels, make_affine(spacing_mm=(3.0, 2.0, 2.0)), "zyx", "CT")


class TestNetworks:
    @pytest.mark.parametrize("kind", ["residual", "plain"])
    @pytest.mark.parametrize("plans", ["new", "old"])
    def test_every_weight_finds_its_place(self, kind: str, plans: str, tmp_path: Path) -> None:
        chosen = configuration(kind) if plans == "new" else old_configuration(kind)
        model = import_nnunet(write(tmp_path, kind=kind, chosen=chosen), tmp_path / "abdomen")
        assert model.network == KINDS[kind][0]
        state = warm_network(model, choose_machine("cpu", "fp32")).state_dict()
        wanted = our_weights(kind)
        assert state.keys() == wanted.keys()
        assert all(torch.equal(state[name], value) for name, value in wanted.items())

    def test_other_networks_are_refused_by_name(self, tmp_path: Path) -> None:
        chosen = configuration()
        chosen["architecture"]["network_class_name"] = "somewhere.Primus"
        with pytest.raises(ModelError, match="the network is Primus, expected PlainConvUNet or ResidualEncoderUNet"):
            import_nnunet(write(tmp_path, chosen=chosen), tmp_path / "abdomen")
        assert not (tmp_path / "abdomen").exists()

    @pytest.mark.parametrize(
        ("name", "value"), [("nonlin", "torch.nn.ReLU"), ("norm_op", "torch.nn.BatchNorm3d"), ("stem_channels", 3)]
    )
    def test_other_parts_are_refused_by_name(self, name: str, value: object, tmp_path: Path) -> None:
        chosen = configuration()
        chosen["architecture"]["arch_kwargs"][name] = value
        with pytest.raises(ModelError, match=f"has {name} "):
            import_nnunet(write(tmp_path, chosen=chosen), tmp_path / "abdomen")

    def test_weights_of_another_network(self, tmp_path: Path) -> None:
        chosen = configuration()
        chosen["architecture"]["arch_kwargs"]["features_per_stage"] = [4, 8, 12]
        with pytest.raises(ModelError, match="the weights do not fit the ResidualEncoderUNet of plans.json"):
            import_nnunet(write(tmp_path, chosen=chosen), tmp_path / "abdomen")


class TestDescription:
    def test_all_of_it(self, tmp_path: Path) -> None:
        model = import_nnunet(write(tmp_path), tmp_path / "abdomen")
        assert model == load_model(tmp_path / "abdomen")
        assert (model.name, model.patch, model.channels) == ("abdomen", (16, 16, 16), ("CT",))
        assert [(label.value, label.name) for label in model.labels] == [(1, "liver"), (2, "spleen")]
        assert (model.mirror_axes, model.members, model.even_windows) == ((0, 1, 2), 1, True)
        preparation = model.preparation
        assert (preparation.orientation, preparation.axes) == ("stored", (0, 1, 2))
        assert (preparation.spacing_mm, preparation.interpolation) == ((2.0, 1.5, 1.5), "cubic")
        assert preparation.crop_nonzero
        assert preparation.normalization == (Normalization("ct", low=-900.0, high=900.0, mean=30.0, std=300.0),)

    def test_transposed_and_turned(self, tmp_path: Path) -> None:
        plans = {"transpose_forward": [2, 0, 1], "image_reader_writer": "NibabelIOWithReorient"}
        preparation = import_nnunet(write(tmp_path, plans=plans), tmp_path / "abdomen").preparation
        assert (preparation.orientation, preparation.axes) == ("SAR", (2, 0, 1))

    def test_channels_with_masks(self, tmp_path: Path) -> None:
        chosen = configuration(
            normalization_schemes=["ZScoreNormalization"], use_mask_for_norm=[True], inherits_from="other"
        )
        plans = {"configurations": {"3d_fullres": chosen, "other": {"spacing": [9.0, 9.0, 9.0]}}}
        dataset = {"channel_names": {"0": "MRI"}}
        model = import_nnunet(write(tmp_path, plans=plans, dataset=dataset), tmp_path / "brain")
        assert model.channels == ("MR",)
        assert model.preparation.normalization == (Normalization("zscore", masked=True),)
        assert model.preparation.spacing_mm == (2.0, 1.5, 1.5)

    def test_the_ignore_label_is_none(self, tmp_path: Path) -> None:
        dataset = {"labels": {"background": 0, "liver": 1, "spleen": 2, "ignore": 3}}
        assert import_nnunet(write(tmp_path, dataset=dataset), tmp_path / "abdomen").labels.values == (1, 2)

    def test_regions_in_their_order(self, tmp_path: Path) -> None:
        labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3}
        dataset = {"labels": labels, "regions_class_order": [2, 1, 3]}
        model = import_nnunet(write(tmp_path, dataset=dataset), tmp_path / "tumour")
        assert (model.regions, model.class_values) == ((2, 1, 3), (2, 1, 3))
        assert {label.value: label.name for label in model.labels} == {2: "whole", 1: "core", 3: "enhancing"}

    def test_what_is_not_said_is_unknown(self, tmp_path: Path) -> None:
        model = import_nnunet(write(tmp_path), tmp_path / "abdomen")
        assert "- licence: unknown" in read_card(model)
        assert (tmp_path / "abdomen/LICENSE").read_text().startswith("The licence of this model is unknown")

    def test_licence_and_reference_stay(self, tmp_path: Path) -> None:
        dataset = {"licence": "CC-BY-SA 4.0", "reference": "Somebody et al."}
        model = import_nnunet(write(tmp_path, dataset=dataset), tmp_path / "abdomen")
        assert "- reference: Somebody et al." in read_card(model)
        assert (tmp_path / "abdomen/LICENSE").read_text().startswith("CC-BY-SA 4.0\n")
        assert '"copyright": "Somebody et al."' in (tmp_path / "abdomen/configs/metadata.json").read_text()


class TestSources:
    def test_a_folder_around_it(self, tmp_path: Path) -> None:
        write(tmp_path / "results" / "Dataset007_Abdomen")
        assert len(import_nnunet(tmp_path / "results", tmp_path / "abdomen").labels) == 2

    def test_a_zip_file(self, tmp_path: Path) -> None:
        write(tmp_path / "results" / "Dataset007_Abdomen")
        packed = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "results")
        assert len(import_nnunet(packed, tmp_path / "abdomen").labels) == 2

    @pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
    def test_a_damaged_zip_file(self, method: int, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "bad.zip", "w", method) as packed:
            packed.writestr("plans.json", "".join(map(str, range(2000))))
        content = bytearray((tmp_path / "bad.zip").read_bytes())
        content[60:400] = b"\xff" * 340
        (tmp_path / "bad.zip").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.zip cannot be unpacked"):
            import_nnunet(tmp_path / "bad.zip", tmp_path / "abdomen")

    def test_a_zip_file_that_points_out_of_itself(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
            packed.writestr("../plans.json", "{}")
        with pytest.raises(InputError, match="holds no trained nnU-Net"):
            import_nnunet(tmp_path / "evil.zip", tmp_path / "abdomen")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.zip"]

    def test_two_of_them(self, tmp_path: Path) -> None:
        write(tmp_path / "results", name="3d_fullres")
        write(tmp_path / "results", name="3d_lowres")
        with pytest.raises(InputError, match="holds 2 trained models; choose one of: .*3d_fullres, .*3d_lowres"):
            import_nnunet(tmp_path / "results", tmp_path / "abdomen")

    def test_none(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="holds no trained nnU-Net v2"):
            import_nnunet(tmp_path, tmp_path / "abdomen")
        with pytest.raises(InputError, match="does not exist"):
            import_nnunet(tmp_path / "nowhere", tmp_path / "abdomen")

    def test_a_cascade(self, tmp_path: Path) -> None:
        chosen = configuration(previous_stage="3d_lowres")
        trained = write(tmp_path, chosen=chosen, name="3d_cascade_fullres")
        with pytest.raises(ModelError, match="second stage of a cascade and needs the labels that 3d_lowres gives"):
            import_nnunet(trained, tmp_path / "abdomen")

    def test_2d(self, tmp_path: Path) -> None:
        trained = write(tmp_path, chosen=configuration(patch_size=[64, 64]), name="2d")
        with pytest.raises(ModelError, match="2d is a 2D network"):
            import_nnunet(trained, tmp_path / "abdomen")

    def test_plans_that_lack_something(self, tmp_path: Path) -> None:
        chosen = configuration()
        del chosen["spacing"]
        with pytest.raises(ModelError, match="damaged, at 'spacing'"):
            import_nnunet(write(tmp_path, chosen=chosen), tmp_path / "abdomen")


class Foreign:
    """What a hostile checkpoint holds: unpickled, it would call something."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 3",)


class TestHostile:
    def test_a_call_is_refused_by_name(self, tmp_path: Path) -> None:
        trained = write(tmp_path, checkpoint={"extra": Foreign()})
        with pytest.raises(ModelError, match=r"fold_0/checkpoint_final.pth asks for (posix|nt)\.system"):
            import_nnunet(trained, tmp_path / "abdomen")
        assert not (tmp_path / "abdomen").exists()

    def test_a_foreign_class_is_refused_by_name(self, tmp_path: Path) -> None:
        trained = write(tmp_path, checkpoint={"extra": Path("a")})
        with pytest.raises(ModelError, match=r"asks for pathlib\S*Path"):
            import_nnunet(trained, tmp_path / "abdomen")

    @pytest.mark.parametrize("content", [b"", b"nothing of the kind", pickle.dumps({"network_weights": 1})])
    def test_no_checkpoint_at_all(self, content: bytes, tmp_path: Path) -> None:
        trained = write(tmp_path)
        (trained / "fold_0/checkpoint_final.pth").write_bytes(content)
        with pytest.raises(ModelError, match="checkpoint_final.pth"):
            import_nnunet(trained, tmp_path / "abdomen")


class TestSegmenting:
    def test_folds_are_averaged(self, image: Volume, tmp_path: Path) -> None:
        model = import_nnunet(write(tmp_path, folds=3), tmp_path / "abdomen")
        assert model.members == 3
        folder = tmp_path / "abdomen"
        assert all((folder / weights_file(member)).is_file() for member in range(3))
        done = finish(segment(image, str(folder), device="cpu", precision="fp32", backend="torch"))
        assert done.labels.shape == image.shape
        assert len(np.unique(done.labels.data)) > 1

    def test_a_member_is_missing(self, tmp_path: Path) -> None:
        import_nnunet(write(tmp_path, folds=2), tmp_path / "abdomen")
        (tmp_path / "abdomen" / weights_file(1)).unlink()
        with pytest.raises(ModelError, match=r"models/model_1.pt missing"):
            load_model(tmp_path / "abdomen")

    def test_regions(self, image: Volume, tmp_path: Path) -> None:
        labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3}
        dataset = {"labels": labels, "regions_class_order": [1, 2, 3]}
        import_nnunet(write(tmp_path, dataset=dataset), tmp_path / "tumour")
        done = finish(
            segment(image, str(tmp_path / "tumour"), device="cpu", precision="fp32", backend="torch", uncertainty=True)
        )
        assert set(np.unique(done.labels.data)) <= {0, 1, 2, 3}
        assert done.uncertainty is not None
        assert 0 <= done.uncertainty.data.min() <= done.uncertainty.data.max() <= 1.0001

    def test_around_the_box_there_is_background(self, image: Volume, tmp_path: Path) -> None:
        import_nnunet(write(tmp_path), tmp_path / "abdomen")
        voxels = np.zeros_like(image.data)
        voxels[2:10, 4:16, 3:15] = 500
        voxels[5, 8:12, 8:12] = -500
        done = finish(
            segment(image.with_data(voxels), str(tmp_path / "abdomen"), device="cpu", precision="fp32", backend="torch")
        )
        outside = np.ones(image.shape, bool)
        outside[2:10, 4:16, 3:15] = False
        assert not done.labels.data[outside].any()
        assert done.labels.data.any()


class TestTraining:
    QUICK: ClassVar[dict[str, Any]] = {
        "steps": 2, "minutes": None, "check_every": 2, "device": "cpu", "precision": "fp32", "memory_mb": 100,
    }  # fmt: skip

    @pytest.fixture
    def cases(self) -> list[dict[str, Any]]:
        names = LabelSet((Label(1, "liver", (230, 159, 0)), Label(5, "cyst", (86, 180, 233))))
        made = [case(seed) for seed in range(2)]
        return [
            {"name": one.name, "images": one.images, "labels": replace(one.labels, labels=names)}  # type: ignore[type-var]
            for one in made
        ]

    @pytest.mark.parametrize("kind", ["residual", "plain"])
    def test_goes_on_from_an_imported_model(self, kind: str, cases: list[dict[str, Any]], tmp_path: Path) -> None:
        turned = {"transpose_forward": [1, 0, 2], "transpose_backward": [1, 0, 2]}
        base = import_nnunet(write(tmp_path, kind=kind, folds=2, plans=turned), tmp_path / "abdomen")
        told: list[Any] = []
        training = train(cases, tmp_path / "mine", base=str(tmp_path / "abdomen"), plan=self.QUICK)
        done = finish(training, told)
        model = load_model(tmp_path / "mine")
        assert (model.network, model.members, model.preparation) == (base.network, 1, base.preparation)
        assert [label.name for label in model.labels] == ["liver", "cyst"]
        start = done.plan["reasons"]["start"]
        assert start.startswith("starts from the first of 2 networks of abdomen: ")
        assert "abdomen knows already: liver; begun anew: cyst; no longer answered: spleen" in start
        assert done.before["liver"] is not None
        # Its images lie around 0: nothing may be cut to 0..1, but for what is shown.
        assert done.plan["augmentation"]["gamma"] == 0
        looks = [event.data for event in told if isinstance(event, Preview) and event.what == "held-out slice"]
        assert looks
        assert all(look["image"].min() == 0 and look["image"].max() == 1 for look in looks)
        image = cases[0]["images"][0]
        found = finish(segment(image, str(tmp_path / "mine"), device="cpu", precision="fp32", backend="torch"))
        assert found.labels.same_grid(image)

    def test_not_from_regions(self, tmp_path: Path) -> None:
        labels = {"background": 0, "whole": [1, 2], "core": 2}
        dataset = {"labels": labels, "regions_class_order": [1, 2]}
        import_nnunet(write(tmp_path, dataset=dataset, classes=2), tmp_path / "tumour")
        with pytest.raises(InputError, match="tumour answers structures that overlap.*start from another model"):
            finish(train([], tmp_path / "mine", base=str(tmp_path / "tumour")))
