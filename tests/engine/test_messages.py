from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_resmed.engine.messages import Exchange, Remembered, pack, unpack
from napari_resmed.labels import Code, Label, LabelMap, LabelSet
from napari_resmed.volume import Volume
from tests.affines import make_affine


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange((tmp_path,))


def through_json(value: Any, exchange: Exchange) -> Any:
    return unpack(json.loads(json.dumps(pack(value, exchange))))


class TestArrays:
    @pytest.mark.parametrize("dtype", ["u1", "i2", ">i2", "f4", "f8", "?", "f2"])
    @pytest.mark.parametrize("shape", [(3, 4, 5), (0, 3), (), (7,)])
    def test_come_back_writable(self, dtype: str, shape: tuple[int, ...], exchange: Exchange) -> None:
        array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
        back = through_json(array, exchange)
        assert back.dtype == array.dtype
        assert np.array_equal(back, array)
        assert back.flags.writeable

    def test_any_layout(self, exchange: Exchange) -> None:
        array = np.arange(120).reshape(4, 5, 6)[::-1, ::2].transpose(2, 0, 1)
        assert np.array_equal(through_json(array, exchange), array)

    def test_travel_outside_the_message(self, exchange: Exchange) -> None:
        message = json.dumps(pack({"image": np.zeros((100, 100, 100))}, exchange))
        assert len(message) < 500

    def test_are_gone_once_taken(self, exchange: Exchange, tmp_path: Path) -> None:
        packed = pack([np.zeros(3), np.ones(3)], exchange)
        assert len(list(tmp_path.iterdir())) == 2
        unpack(packed)
        assert list(tmp_path.iterdir()) == []

    def test_objects_are_never_loaded(self, exchange: Exchange, tmp_path: Path) -> None:
        with (tmp_path / "a.npy").open("wb") as file:
            np.lib.format.write_array(file, np.array([{}], object), version=(2, 0), allow_pickle=True)
        with pytest.raises(ValueError, match="an array of objects"):
            exchange.take(str(tmp_path / "a.npy"))

    def test_what_cannot_be_saved_leaves_nothing(self, exchange: Exchange, tiny_disk: Path) -> None:
        small = Exchange((tiny_disk,))
        with pytest.raises(OSError, match=r"space|requested"):
            small.put(np.zeros(1_000_000))
        assert list(tiny_disk.iterdir()) == []

    def test_a_full_first_place_gives_way_to_the_second(self, tiny_disk: Path, tmp_path: Path) -> None:
        second = tmp_path / "second"
        second.mkdir()
        both = Exchange((tiny_disk, second))
        assert Path(both.put(np.zeros(100_000))).parent == second


class TestValues:
    def test_volume(self, exchange: Exchange) -> None:
        volume = Volume(
            np.arange(24).reshape(2, 3, 4),
            make_affine((1, 2, 0), degrees=(1, 2, 3)),
            "",
            "MR",
            "knee",
            {"a": [1, {"b": 2.5}]},
        )
        back = through_json(volume, exchange)
        assert type(back) is Volume
        assert np.array_equal(back.data, volume.data)
        assert np.array_equal(back.affine, volume.affine)  # to the last bit, through text
        assert (back.axes, back.modality, back.name, back.meta) == ("zyx", "MR", "knee", {"a": [1, {"b": 2.5}]})

    def test_label_map(self, exchange: Exchange) -> None:
        labels = LabelSet((Label(3, "Leber", (1, 2, 3), Code("SCT", "10200004", "Liver")),))
        back = through_json({"x": LabelMap(np.full((2, 2, 2), 3), np.eye(4), labels=labels)}, exchange)["x"]
        assert isinstance(back, LabelMap)
        assert back.labels == labels

    @pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
    def test_a_nearly_empty_label_map_travels_as_what_is_in_it(
        self, axes: tuple[int, ...], exchange: Exchange, tmp_path: Path
    ) -> None:
        data = np.zeros((40, 50, 60), np.uint16).transpose(axes)[::-1]
        data[3, 4:9, 5], data[20, 1, 2] = 300, 7
        packed = pack(LabelMap(data, make_affine(), labels=LabelSet((Label(7, "x", (1, 2, 3)),))), exchange)
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 1000
        back = unpack(json.loads(json.dumps(packed)))
        np.testing.assert_array_equal(back.data, data)
        assert back.data.dtype == np.uint16
        assert back.labels[7].name == "x"
        assert list(tmp_path.iterdir()) == []
        empty = through_json(LabelMap(np.zeros((2, 3, 4), np.uint8), make_affine()), exchange)
        assert empty.shape == (2, 3, 4)
        assert not empty.data.any()

    def test_plain_values(self, exchange: Exchange) -> None:
        value = {"a": None, "b": True, "c": [1, 2.5, "x"], "d": {"e": float("inf")}, "é": "ü"}
        assert through_json(value, exchange) == value

    def test_what_becomes_plain(self, exchange: Exchange) -> None:
        @dataclass
        class Report:
            name: str
            data: np.ndarray

        back = through_json(Report("x", np.ones(2)), exchange)
        assert back["name"] == "x"
        assert back["data"].tolist() == [1, 1]
        assert through_json((Path("a/b"), np.float32(0.5), np.int64(3)), exchange) == [str(Path("a/b")), 0.5, 3]

    def test_packing_twice_changes_nothing(self, exchange: Exchange) -> None:
        packed = pack({"x": np.arange(3)}, exchange)
        assert pack(packed, exchange) == packed

    def test_what_has_no_place_in_a_message(self, exchange: Exchange) -> None:
        for value in (object(), {1, 2}, lambda: None, int):
            with pytest.raises(TypeError, match="a message cannot hold a"):
                pack(value, exchange)


class TestRemembered:
    def test_what_was_given_once_is_had_by_its_key(self, exchange: Exchange) -> None:
        remembered = Remembered()
        first = {"image": {"__kept__": "a", "value": pack(np.arange(3), exchange)}, "seed": 1}
        given = remembered.parameters(first, ["a"])
        assert given["seed"] == 1
        again = remembered.parameters({"image": {"__kept__": "a"}}, ["a"])
        assert again["image"] is given["image"]

    def test_what_is_not_worth_keeping_is_forgotten(self, exchange: Exchange) -> None:
        remembered = Remembered()
        remembered.parameters({"image": {"__kept__": "a", "value": pack(np.arange(3), exchange)}}, ["a"])
        remembered.parameters({}, ["b"])
        with pytest.raises(KeyError):
            remembered.parameters({"image": {"__kept__": "a"}}, ["a"])


class TestExchange:
    def test_makes_folders_only_the_owner_can_read(self) -> None:
        exchange = Exchange()
        try:
            for folder in exchange.folders:
                assert folder.stat().st_mode & 0o077 == 0
            assert np.array_equal(exchange.take(exchange.put(np.arange(3))), np.arange(3))
        finally:
            exchange.clear()
        assert not any(folder.exists() for folder in exchange.folders)

    def test_sweeping_keeps_the_folder(self, exchange: Exchange, tmp_path: Path) -> None:
        exchange.put(np.arange(3))
        exchange.sweep()
        assert list(tmp_path.iterdir()) == []

    def test_folders_that_are_gone_are_made_again_for_their_owner_until_it_is_over(self) -> None:
        face = Exchange()
        worker = Exchange(face.folders)
        for folder in face.folders:
            folder.rmdir()
        path = Path(worker.put(np.arange(3)))
        assert path.parent in face.folders
        assert path.parent.stat().st_mode & 0o077 == 0
        face.clear()
        assert not any(folder.exists() for folder in worker.folders)
        with pytest.raises(FileNotFoundError):
            face.put(np.arange(3))
        assert not any(folder.exists() for folder in face.folders)

    def test_clearing_twice(self, exchange: Exchange) -> None:
        exchange.clear()
        exchange.clear()

    def test_clearing_while_arrays_are_put_there(self, exchange: Exchange) -> None:
        def put_on() -> None:
            with contextlib.suppress(FileNotFoundError):
                while True:
                    exchange.put(np.zeros(1))

        putting = threading.Thread(target=put_on)
        putting.start()
        try:
            exchange.clear()
            assert not any(folder.exists() for folder in exchange.folders)
        finally:
            putting.join(10)
