"""What a model is given in the panel: a volume, of a sequence which frame, and a choice for every further channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ResMedLib.model_list import ModelList

__all__ = ["InputVolumes"]


class InputVolumes:
    """Shows what has to be chosen, and only that.

    Parameters
    ----------
    host:
        The module's widget: its ``parameters``, ``has_core``.
    models, combo:
        Whose chosen model says which channels there are, and the ``QComboBox`` it is chosen in.
    frame, channels:
        ``QLabel`` and selector of the frame, and of every channel but the first.
    names:
        Under which names volume, frame and further channels are kept.
    """

    def __init__(
        self,
        host: Any,
        models: ModelList,
        combo: Any,
        frame: tuple[Any, Any],
        channels: Sequence[tuple[Any, Any]],
        names: Sequence[str],
    ) -> None:
        self._host, self._models = host, models
        self._frame_row, self._channel_rows = frame, channels
        self._volume, self._frame, *self._channels = names
        combo.connect("currentIndexChanged(int)", self._show_channels)

    @property
    def nodes(self) -> list[Any]:
        """A volume node for every channel of the model, None for those that are not chosen."""
        return [self._kept(name) for name in (self._volume, *self._channels[: len(self._names()) - 1])]

    @property
    def frame(self) -> int:
        """Of a sequence which frame; see :func:`ResMedLib.volumes.source_of`."""
        from ResMedLib.volumes import SHOWN

        return int(self._kept(self._frame)) if self._frames() > 1 else SHOWN

    def refresh(self) -> None:
        """Fit what is shown to volume and model."""
        for widget in self._frame_row:
            widget.visible = self._frames() > 1
        self._show_channels()

    def _kept(self, name: str) -> Any:
        parameters = self._host.parameters
        return getattr(parameters, name) if parameters is not None else None

    def _frames(self) -> int:
        volume = self._kept(self._volume)
        if volume is None or not self._host.has_core:
            return 1
        from ResMedLib.volumes import frames_of

        return frames_of(volume)

    def _names(self) -> Sequence[str]:
        """Of the model's channels."""
        return self._models.chosen.channels if self._models.chosen is not None else ("image",)

    def _show_channels(self, _: int = 0) -> None:
        """A choice for every further channel the model has, named as the model names it."""
        names = self._names()
        for place, (label, selector) in enumerate(self._channel_rows, 1):
            label.visible = selector.visible = place < len(names)
            if place < len(names):
                label.text = f"{names[place]}:"
