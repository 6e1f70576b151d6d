from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_resmed import geometry
from napari_resmed.errors import InputError
from napari_resmed.io import find_images, read, read_all, write
from napari_resmed.io.seg_nrrd import is_seg_nrrd, read_seg_nrrd, write_seg_nrrd
from napari_resmed.labels import Code, Label, LabelMap, LabelSet
from napari_resmed.volume import Volume
from tests.affines import affines, make_affine, shapes
from tests.io.dicom.objects.study import draw_labels

OBLIQUE = make_affine((0, 2, 1), (-1, 1, -1), degrees=(10, 20, 30), spacing_mm=(2.5, 0.7, 0.8), origin_mm=(-100, 50, 3))


def drawn(affine: np.ndarray = OBLIQUE, shape: tuple[int, int, int] = (6, 7, 8), seed: int = 0) -> LabelMap:
    return draw_labels(Volume(np.zeros(shape, np.int16), affine), seed)


def inside(labels: LabelMap) -> LabelMap:
    data = np.zeros(labels.shape, np.uint8)
    data[2:4, 1:5, 2:6] = 3
    return LabelMap(data, labels.affine, labels=LabelSet((Label(3, "lésion", (9, 8, 7)),)))


def assert_same(back: LabelMap, labels: LabelMap) -> None:
    assert np.array_equal(back.data, labels.data)
    assert (
        np.abs(geometry.corners(back.affine, back.shape) - geometry.corners(labels.affine, labels.shape)).max() < 1e-4
    )
    assert back.labels.labels == labels.labels.labels


class TestRoundTrip:
    def test_one_layer(self, tmp_path: Path) -> None:
        labels = drawn()
        write_seg_nrrd(labels, tmp_path / "a.seg.nrrd")
        (back,) = read_seg_nrrd(tmp_path / "a.seg.nrrd")
        assert_same(back, labels)
        assert (back.name, "warnings" in back.meta) == ("a", False)

    def test_overlapping_layers(self, tmp_path: Path) -> None:
        first = drawn()
        second = inside(first)
        write_seg_nrrd([first, second], tmp_path / "a.seg.nrrd")
        maps = read_seg_nrrd(tmp_path / "a.seg.nrrd")
        assert [one.name for one in maps] == ["a 1", "a 2"]
        assert_same(maps[0], first)
        assert_same(maps[1], second)

    @given(affines(most_shear=0.0), shapes(), st.integers(0, 99), st.booleans())
    @settings(max_examples=40)
    def test_any_grid(self, affine: np.ndarray, shape: tuple[int, int, int], seed: int, layered: bool) -> None:
        shape = (shape[0] + 1, *shape[1:])
        maps = [drawn(affine, shape, seed), drawn(affine, shape, seed + 1)][: 1 + layered]
        with tempfile.TemporaryDirectory() as name:
            write_seg_nrrd(maps, Path(name) / "a.seg.nrrd")
            for back, labels in zip(read_seg_nrrd(Path(name) / "a.seg.nrrd"), maps, strict=True):
                assert_same(back, labels)

    def test_words_that_the_format_uses_itself(self, tmp_path: Path) -> None:
        label = Label(1, "a\\b := ~^|: ü", (1, 2, 3), Code("SCT", "1", "one|two~three^four:five"))
        labels = LabelMap(np.ones((2, 2, 2), np.uint8), OBLIQUE, labels=LabelSet((label,)))
        write_seg_nrrd(labels, tmp_path / "a.seg.nrrd")
        (back,) = read_seg_nrrd(tmp_path / "a.seg.nrrd")
        assert back.labels[1].name == label.name
        assert back.labels[1].code == Code("SCT", "1", "one two three four five")


class TestFile:
    def test_itk_sees_the_same(self, tmp_path: Path) -> None:
        labels = drawn()
        write_seg_nrrd(labels, tmp_path / "a.seg.nrrd")
        image = sitk.ReadImage(str(tmp_path / "a.seg.nrrd"))
        assert np.array_equal(sitk.GetArrayFromImage(image), labels.data)
        for index in ((0, 0, 0), (5, 2, 1), (5, 6, 7)):
            place = labels.affine[:3, :3] @ index + labels.affine[:3, 3]
            assert image.TransformIndexToPhysicalPoint(index[::-1]) == pytest.approx(place, abs=1e-5)

    def test_fields_are_those_of_slicer(self, tmp_path: Path) -> None:
        first = drawn()
        write_seg_nrrd([first, inside(first)], tmp_path / "a.seg.nrrd")
        lines = (tmp_path / "a.seg.nrrd").read_bytes().partition(b"\n\n")[0].decode().splitlines()
        assert lines[0].startswith("NRRD000")
        assert {"dimension: 4", "sizes: 2 8 7 6", "kinds: list domain domain domain"} <= set(lines)
        assert "space: left-posterior-superior" in lines
        assert next(line for line in lines if line.startswith("space directions:")).startswith(
            "space directions: none ("
        )
        fields = dict(line.split(":=", 1) for line in lines if ":=" in line)
        assert fields["Segmentation_SourceRepresentation"] == "Binary labelmap"
        # Four labels in the first layer, then that of the second; box as x, y, z.
        last = {key: fields[f"Segment4_{key}"] for key in ("Name", "LabelValue", "Layer", "Extent", "Color")}
        assert last == {
            "Name": "lésion",
            "LabelValue": "3",
            "Layer": "1",
            "Extent": "2 5 1 4 2 3",
            "Color": "0.035294 0.031373 0.027451",
        }
        terms = fields["Segment0_Tags"].removeprefix("TerminologyEntry:").removesuffix("|").split("~")
        assert terms[1:4] == ["SCT^123037004^Anatomical Structure", "SCT^10200004^Liver", "SCT^7771000^Left"]
        assert fields["Segment3_Extent"] == "0 -1 0 -1 0 -1"  # a label without voxels

    def write_fields(self, path: Path, data: np.ndarray, fields: dict[str, str], layered: bool) -> Path:
        """A file as other programs write it; data is (z, y, x[, layer])."""
        sizes = " ".join(map(str, data.shape[::-1]))
        lead = ("none ", "list ") if layered else ("", "")
        head = (
            f"NRRD0004\ntype: unsigned char\ndimension: {data.ndim}\nspace: right-anterior-superior\nsizes: {sizes}\n"
            f"space directions: {lead[0]}(-2,0,0) (0,-3,0) (0,0,4)\nkinds: {lead[1]}domain domain domain\n"
            "encoding: gzip\nspace origin: (10,20,30)\n"
        )
        head += "".join(f"{key}:={value}\n" for key, value in fields.items())
        path.write_bytes(head.encode() + b"\n" + gzip.compress(data.astype(np.uint8).tobytes()))
        return path

    def test_older_files_have_a_layer_for_each_segment(self, tmp_path: Path) -> None:
        data = np.zeros((3, 4, 5, 3), np.uint8)
        data[1, :2, :, 0] = data[1, 2:, :, 1] = data[1, 1:3, :, 2] = 1
        fields = {f"Segment{index}_Name": name for index, name in enumerate(("up", "down", "across"))}
        maps = read_seg_nrrd(self.write_fields(tmp_path / "old.seg.nrrd", data, fields, layered=True))
        assert [[label.name for label in one.labels] for one in maps] == [["up", "down"], ["across"]]
        assert np.array_equal(maps[0].data == 2, data[..., 1])
        assert np.array_equal(maps[1].data == 3, data[..., 2])
        # RAS (x, y, z) in the file, LPS here.
        assert maps[0].affine[:3] == pytest.approx(np.array([[0, 0, 2, -10], [0, 3, 0, -20], [4, 0, 0, 30]]))

    def test_by_its_header_whatever_its_name(self, tmp_path: Path) -> None:
        data = np.zeros((3, 4, 5), np.uint8)
        data[1] = 2
        fields = {"Segment0_Name": "x", "Segment0_LabelValue": "2", "Segment0_Layer": "0"}
        path = self.write_fields(tmp_path / "labels.nrrd", data, fields, layered=False)
        assert is_seg_nrrd(path)
        assert [label.name for label in read(path).labels] == ["x"]
        sitk.WriteImage(sitk.GetImageFromArray(data), str(tmp_path / "plain.nrrd"))
        assert not is_seg_nrrd(tmp_path / "plain.nrrd")

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"Segment0_LabelValue": "x"}, "no whole numbers as label value"),
            ({"Segment0_LabelValue": "1", "Segment0_Layer": "7"}, "a layer that the file does not have"),
            (
                {"Segment0_LabelValue": "1", "Segmentation_SourceRepresentation": "Fractional labelmap"},
                "holds fractions, expected a binary label map",
            ),
        ],
    )
    def test_refusals(self, fields: dict[str, str], reason: str, tmp_path: Path) -> None:
        path = self.write_fields(tmp_path / "a.seg.nrrd", np.ones((2, 3, 4)), fields, layered=False)
        with pytest.raises(InputError, match=reason):
            read_seg_nrrd(path)

    def test_without_voxels(self, tmp_path: Path) -> None:
        fields = {"Segment0_LabelValue": "1"}
        path = self.write_fields(tmp_path / "a.seg.nrrd", np.zeros((1, 1, 1)), fields, layered=False)
        with pytest.raises(InputError, match="without voxels"):
            read_seg_nrrd(path)

    def test_cut_off(self, tmp_path: Path) -> None:
        write_seg_nrrd(drawn(), tmp_path / "a.seg.nrrd")
        whole = (tmp_path / "a.seg.nrrd").read_bytes()
        (tmp_path / "a.seg.nrrd").write_bytes(whole[:-40])
        with pytest.raises(InputError):
            read_seg_nrrd(tmp_path / "a.seg.nrrd")

    def test_sheared(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="sheared"):
            write_seg_nrrd(drawn(make_affine(shear=(0.2, 0, 0))), tmp_path / "a.seg.nrrd")
        assert not list(tmp_path.iterdir())


class TestOneDoor:
    def test_one_map(self, tmp_path: Path) -> None:
        labels = drawn()
        write(labels, tmp_path / "a.seg.nrrd")
        assert_same(read(tmp_path / "a.seg.nrrd"), labels)
        (entry,) = find_images(tmp_path)
        assert (entry.id, entry.kind) == ("a.seg.nrrd", "labels")
        assert entry.description == "Léber, links, Tumour, no code, nowhere"

    def test_several_maps(self, tmp_path: Path) -> None:
        first = drawn()
        write([first, inside(first)], tmp_path / "a.seg.nrrd")
        entries = find_images(tmp_path / "a.seg.nrrd")
        assert [(entry.id, entry.kind) for entry in entries] == [("a.seg.nrrd:1", "labels"), ("a.seg.nrrd:2", "labels")]
        assert len(read_all(tmp_path / "a.seg.nrrd")) == 2
        assert_same(read(tmp_path / "a.seg.nrrd", "a.seg.nrrd:2"), inside(first))
        with pytest.raises(InputError, match="holds 2 label maps: a.seg.nrrd:1, a.seg.nrrd:2; choose one"):
            read(tmp_path / "a.seg.nrrd")
        with pytest.raises(InputError, match="holds no label map 'x'"):
            read(tmp_path / "a.seg.nrrd", "x")

    def test_an_image_is_refused(self, tmp_path: Path) -> None:
        image = Volume(np.zeros((2, 3, 4), np.float32), OBLIQUE)
        with pytest.raises(InputError, match="this ending is for labels, found an image"):
            write(image, tmp_path / "a.seg.nrrd")

    def test_several_maps_need_a_format_that_holds_them(self, tmp_path: Path) -> None:
        first = drawn()
        with pytest.raises(InputError, match="holds one label map, found 2"):
            write([first, inside(first)], tmp_path / "a.nii.gz")
