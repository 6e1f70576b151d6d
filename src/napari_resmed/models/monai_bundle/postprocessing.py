"""The transforms after the network as what our models say of labels; what has no equal is refused."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_resmed.errors import ModelError
from napari_resmed.labels import LabelSet
from napari_resmed.models.cleanup import Cleanup
from napari_resmed.models.monai_bundle.configuration import Component

__all__ = ["Answer", "describe_answer"]

_NOTHING = frozenset(
    """
    CastToType CopyItems DeleteItems EnsureType FromMetaTensor Identity SaveImage SelectItems SqueezeDim ToDevice
    ToNumpy ToTensor
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Answer:
    """What the network's classes mean.

    Parameters
    ----------
    labels, cleanup, regions, region_order:
        As of :class:`napari_resmed.models.model.Model`.
    """

    labels: LabelSet
    regions: tuple[int, ...] = ()
    region_order: tuple[int, ...] = ()
    cleanup: Mapping[int, Cleanup] = field(default_factory=dict)


@dataclass
class _State:
    """What the transforms so far amount to."""

    voxel_mm3: float
    softmax: bool = False
    sigmoid: bool = False
    argmax: bool = False
    threshold: bool = False
    onehot: bool = False
    restored: bool = False
    written: list[tuple[int, int]] = field(default_factory=list)
    cleanup: dict[int, Cleanup] = field(default_factory=dict)
    renamed: dict[int, int] = field(default_factory=dict)


def describe_answer(
    transforms: Sequence[Any], classes: int, names: Mapping[str, Any], voxel_mm3: float | None
) -> Answer:
    """Read the transforms of ``postprocessing``.

    Parameters
    ----------
    transforms:
        Components, in order.
    classes:
        Number of the network's output channels.
    names:
        The ``channel_def`` of the bundle's metadata.
    voxel_mm3:
        Of the network's grid; None where it is each image's own.

    Raises
    ------
    ModelError
        If one of them has no equal here; it is named.
    """
    state = _State(voxel_mm3 or 0.0)
    for transform in transforms:
        if not isinstance(transform, Component):
            raise ModelError(f"the postprocessing holds {transform!r}, expected a transform with its _target_")
        if not transform.is_disabled:
            _take(transform, state, classes)
    if state.softmax and state.sigmoid:
        raise ModelError("the answer goes through softmax and through sigmoid, expected one of them")
    if state.threshold or state.sigmoid:
        return _overlapping(state, classes, names)
    if classes < 2:
        raise ModelError("the network answers one class and no threshold is said, expected a threshold after sigmoid")
    return _exclusive(state, classes, names)


def _exclusive(state: _State, classes: int, names: Mapping[str, Any]) -> Answer:
    values = {number: state.renamed.get(number, number) for number in range(classes)}
    if values[0] != 0 or list(values.values()) != sorted(set(values.values())):
        raise ModelError(f"the classes become the values {list(values.values())}, expected 0 and then rising ones")
    labels = [{"value": values[number], "name": _name(names, number)} for number in range(1, classes)]
    # 0 stands for every label.
    every = state.cleanup.pop(0, None)
    cleanup = {value: every for value in list(values.values())[1:] if every} | {
        values[number]: wish for number, wish in state.cleanup.items() if values.get(number)
    }
    return Answer(LabelSet.from_json(labels), cleanup=cleanup)


def _overlapping(state: _State, classes: int, names: Mapping[str, Any]) -> Answer:
    if not (state.threshold and state.sigmoid):
        raise ModelError("the answer of overlapping classes needs sigmoid and a threshold of 0.5, expected both")
    if state.cleanup or state.renamed:
        raise ModelError("overlapping classes are cleaned up or renamed, which has no equal here")
    # The first one that is there wins, so it is written last.
    written = state.written or [(number, number + 1) for number in reversed(range(classes))]
    values = dict(written)
    if sorted(values) != list(range(classes)) or len(set(values.values())) != classes:
        raise ModelError(f"of {classes} overlapping classes {sorted(values)} become labels, expected each")
    regions = tuple(values[number] for number in range(classes))
    labels = [{"value": values[number], "name": _name(names, number)} for number in range(classes)]
    order = tuple(value for _, value in reversed(written))
    return Answer(LabelSet.from_json(sorted(labels, key=lambda one: one["value"])), regions, order)


def _name(names: Mapping[str, Any], number: int) -> str:
    return " ".join(str(names.get(str(number), "")).split()) or f"class {number}"


def _take(transform: Component, state: _State, classes: int) -> None:
    name = transform.name
    kind = next((name.removesuffix(end) for end in ("Dict", "D", "d") if name.endswith(end)), name)
    match kind:
        case "Activations":
            state.softmax |= bool(_first(transform.get("softmax", False)))
            state.sigmoid |= bool(_first(transform.get("sigmoid", False)))
            if _first(transform.get("other")):
                raise ModelError(f"{transform.target} asks for {transform.raw('other')!r}, which is not followed")
        case "AsDiscrete":
            _discrete(transform, state)
        case "Invert":
            state.restored = True
        case "KeepLargestConnectedComponent":
            _check_plain(transform, num_components=1, independent=True)
            _clean(transform, state, largest_component=True)
        case "FillHoles":
            _clean(transform, state, fill_holes=True)
        case "RemoveSmallObjects":
            _clean(transform, state, minimum_mm3=_smallest(transform, state, classes))
        case "MapLabelValue":
            pairs = zip(transform.get("orig_labels"), transform.get("target_labels"), strict=True)
            state.renamed = {int(old): int(new) for old, new in pairs}
        case "Lambda":
            _follow_lambda(transform, state, classes)
        case _ if kind not in _NOTHING:
            raise ModelError(f"the answer goes through {transform.target}, which has no equal here")


def _discrete(transform: Component, state: _State) -> None:
    state.argmax |= bool(_first(transform.get("argmax", False)))
    state.onehot |= _first(transform.get("to_onehot")) is not None
    threshold = _first(transform.get("threshold"))
    if threshold is None:
        return
    if float(threshold) != 0.5 or state.argmax:
        raise ModelError(f"{transform.target} is given threshold {threshold}, expected 0.5 after sigmoid")
    state.threshold = True


def _first(value: Any) -> Any:
    """Of values for several keys that of the answer, which is named first."""
    return value[0] if isinstance(value, list | tuple) and value else value


def _check_plain(transform: Component, **usual: Any) -> None:
    for name, value in usual.items():
        if transform.get(name, value) != value:
            raise ModelError(f"{transform.target} is given {name} {transform.get(name)!r}, expected {value}")


def _clean(transform: Component, state: _State, **wish: Any) -> None:
    chosen = transform.get("applied_labels")
    values = [0] if chosen is None else [int(one) for one in (chosen if isinstance(chosen, list | tuple) else [chosen])]
    backwards = {new: old for old, new in state.renamed.items()}
    for value in values:
        number = backwards.get(value, value)
        before = state.cleanup.get(number, Cleanup())
        state.cleanup[number] = Cleanup(**{**before.to_json(), **wish})


def _smallest(transform: Component, state: _State, classes: int) -> float:
    if classes > 2:
        raise ModelError(
            f"{transform.target} takes each of {classes - 1} labels for one piece, which has no equal here"
        )
    size = float(transform.get("min_size", 64))
    if transform.get("by_measure", False):
        return size
    if state.restored or not state.voxel_mm3:
        raise ModelError(
            f"{transform.target} counts voxels of the image, whatever their size, which has no equal here; expected "
            "mm³, or voxels of the network's grid"
        )
    return size * state.voxel_mm3


def _follow_lambda(transform: Component, state: _State, classes: int) -> None:
    """Two forms are known: regions written over each other, and the background cut off."""
    text = str(transform.raw("func"))
    try:
        tree = ast.parse(text.strip().removeprefix("$").strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        tree = None
    if isinstance(tree, ast.Lambda) and [argument.arg for argument in tree.args.args] == ["x"]:
        if re.fullmatch(r"x\[1:\]", ast.unparse(tree.body)) and state.onehot and classes > 1:
            return
        written = _written(tree.body)
        if written:
            state.written = written
            return
    raise ModelError(f"the answer goes through {text}, which is not followed")


def _written(node: ast.expr) -> list[tuple[int, int]]:
    """Class and value of ``torch.where(x[[class]] > 0, value, other)``, ``other`` the same or 0; else empty."""
    found: list[tuple[int, int]] = []
    while not (isinstance(node, ast.Constant) and node.value == 0):
        match node:
            case ast.Call(
                func=function,
                args=[
                    ast.Compare(
                        left=ast.Subscript(value=ast.Name(id="x"), slice=place),
                        ops=[ast.Gt()],
                        comparators=[ast.Constant(value=0 | 0.0 | 0.5)],
                    ),
                    ast.Constant(value=int() as value),
                    other,
                ],
            ) if ast.unparse(function) in ("torch.where", "np.where", "numpy.where"):
                number = place.elts[0] if isinstance(place, ast.List) and len(place.elts) == 1 else place
                if not isinstance(number, ast.Constant) or not isinstance(number.value, int):
                    return []
                found.append((number.value, value))
                node = other
            case _:
                return []
    return found
