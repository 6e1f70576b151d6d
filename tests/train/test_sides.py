from __future__ import annotations

import numpy as np
import pytest

from napari_resmed.case import Case, Dataset
from napari_resmed.labels import Label, LabelMap, LabelSet
from napari_resmed.train.sides import side_pairs, tells_sides
from napari_resmed.volume import Volume
from tests.affines import AXIS_ORDERS, axis_order_name, make_affine
from tests.train.cases import look, relabelled


def named(*names: str) -> LabelSet:
    return LabelSet(tuple(Label(value, name, (1, 1, 1)) for value, name in enumerate(names, 1)))


def pair(seed: int, axis: int = 2, swap: bool = False, affine: np.ndarray | None = None) -> Case:
    """Two balls that lie beside each other along an axis, in noise."""
    rng = np.random.default_rng(seed)
    index = np.stack(np.meshgrid(*[np.arange(24)] * 3, indexing="ij"), -1)
    labels = np.zeros((24, 24, 24), np.uint8)
    for value, off in ((1, -6), (2, 6)):
        middle = np.full(3, 11.5) + rng.uniform(-1, 1, 3)
        middle[axis] += -off if swap else off
        labels[np.linalg.norm(index - middle, axis=-1) < 4] = value
    affine = make_affine() if affine is None else affine
    image = Volume((rng.normal(0, 1, labels.shape) + 10 * (labels > 0)).astype(np.float32), affine)
    return Case(f"case{seed}", (image,), LabelMap(labels, affine))


def without(case: Case, value: int) -> Case:
    return relabelled(case, lambda data: np.where(data == value, 0, data).astype(np.uint8))


def tells(*cases: Case, labels: LabelSet | None = None) -> bool:
    dataset = Dataset(cases, labels or named("label 1", "label 2"))
    return tells_sides(dataset, look(dataset))


class TestByName:
    @pytest.mark.parametrize(
        "name",
        [
            "left kidney", "Kidney Left", "kidney_l", "LEFT_LUNG", "LeftParotid", "parotidRight", "KidneyR", "LKidney",
            "Organ_RLung", "lh-hippocampus", "rh.caudate", "ctx-lh-insula", "Niere links", "ren dexter", "lobe (r)",
            "Kidney_Lt", "Parotid_RT", "ParotidLt", "linke Niere", "rechter Lappen", "rein gauche", "rein droit",
            "rene sinistro", "rene destro", "riñón izquierdo", "glándula derecha",
        ],
    )  # fmt: skip
    def test_says_it(self, name: str) -> None:
        assert tells(pair(0, axis=0), labels=named(name, "other"))

    @pytest.mark.parametrize(
        "name",
        [
            "liver",
            "rectum",
            "larynx",
            "lesion",
            "anterior",
            "LV",
            "RNA",
            "brightness",
            "cleft palate",
            "Leftover",
            "T1",
            "cortex",
            "heart",
            "renal artery",
            "belt",
            "Röhre",
            "destructive lesion",
        ],
    )
    def test_does_not(self, name: str) -> None:
        assert not tells(pair(0, axis=0), labels=named(name, "other"))


class TestByLooking:
    @pytest.mark.parametrize("order", AXIS_ORDERS[::5], ids=axis_order_name)
    def test_two_beside_each_other_in_every_case(self, order: tuple) -> None:
        affine = make_affine(*order)
        along_x = int(np.argmax(np.abs(affine[0, :3])))
        assert tells(*(pair(seed, axis=along_x, affine=affine) for seed in range(3)))

    @pytest.mark.parametrize("axis", [0, 1])
    def test_not_where_one_is_above_or_behind(self, axis: int) -> None:
        assert not tells(*(pair(seed, axis=axis) for seed in range(3)))

    def test_not_where_they_change_places(self) -> None:
        assert not tells(pair(0), pair(1, swap=True), pair(2))

    @pytest.mark.parametrize(
        "names", [("lkidney", "rkidney"), ("PAROTIDL", "PAROTIDR"), ("kidneyleft", "kidneyright"), ("one", "other")]
    )
    def test_where_names_do_not_tell(self, names: tuple[str, str]) -> None:
        assert tells(*(pair(seed) for seed in range(3)), labels=named(*names))
        assert not tells(*(pair(seed, axis=1) for seed in range(3)), labels=named(*names))

    def test_a_case_that_lacks_one_says_nothing(self) -> None:
        alone = [without(pair(seed), 2) for seed in range(5)]
        names = named("one", "other")
        assert tells(*alone, pair(5), labels=names)
        assert not tells(*alone, labels=names)
        assert not tells(*alone, pair(5), pair(6, swap=True), labels=names)

    def test_no_label_map_is_read_where_no_two_are_of_one_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        dataset = Dataset((without(pair(0), 2),), named("liver", "spleen"))
        facts = look(dataset)
        monkeypatch.delattr("napari_resmed.train.sides.open_labels")
        assert not tells_sides(dataset, facts)

    def test_a_single_structure_has_no_pair(self) -> None:
        made = pair(0)
        one = made.labels.with_data(made.labels.data == 1)  # type: ignore[union-attr]
        dataset = Dataset((Case("a", made.images, LabelMap(one.data, one.affine)),), named("label 1"))
        assert not tells_sides(dataset, look(dataset))


class TestPairs:
    """Balls beside each other along x, and a third structure in the middle or off it."""

    def pairs(self, *names: str, off: int = 0) -> tuple[tuple[int, int], ...]:
        case = pair(0)
        labels = case.labels.data.copy()  # type: ignore[union-attr]
        labels[2:5, 10:13, 10 + off : 13 + off] = 3
        dataset = Dataset((Case("a", case.images, LabelMap(labels, case.labels.affine)),), named(*names))  # type: ignore[union-attr]
        return side_pairs(dataset, look(dataset))

    @pytest.mark.parametrize(
        ("one", "other"),
        [("left kidney", "right kidney"), ("RightParotid", "LeftParotid"), ("lh-insula", "rh-insula"), ("a_L", "a_R"),
         ("Kidney_Rt", "Kidney_Lt"), ("linke Niere", "rechte Niere"), ("rein gauche", "rein droit")],
    )  # fmt: skip
    def test_by_name(self, one: str, other: str) -> None:
        assert self.pairs(one, other, "cord") == ((1, 2),)

    @pytest.mark.parametrize(
        "names",
        [
            ("left kidney", "right lung", "cord"),
            ("left kidney", "Left kidney", "cord"),
            ("left kidney", "right kidney", "left lung"),
            ("left kidney", "right kidney", "label 3"),
            ("kidney", "lung", "cord"),
        ],
    )
    def test_not_where_one_has_no_partner_or_no_name(self, names: tuple[str, str, str]) -> None:
        assert self.pairs(*names) == ()

    def test_not_where_another_structure_lies_off_the_middle(self) -> None:
        assert self.pairs("left kidney", "right kidney", "liver", off=5) == ()
