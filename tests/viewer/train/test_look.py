from __future__ import annotations

import numpy as np

from napari_resmed.viewer.train.look import paint_look

RED, GREEN = (255, 0, 0), (0, 255, 0)


def look(image: np.ndarray, truth: np.ndarray, answer: np.ndarray, spacing_mm=(1.0, 1.0)) -> dict[str, object]:
    return {"image": image, "truth": truth, "answer": answer, "spacing_mm": spacing_mm, "case": "a"}


def test_outlines_are_the_truth_and_colours_the_answer() -> None:
    image = np.full((20, 20), 0.5, np.float32)
    truth, answer = np.zeros((20, 20), np.int16), np.zeros((20, 20), np.int16)
    truth[5:15, 5:15] = 1
    answer[8:12, 8:12] = 2
    picture = paint_look(look(image, truth, answer), (RED, GREEN), (200, 200))
    assert picture.shape == (200, 200, 3)
    assert tuple(picture[51, 100]) == RED  # the edge of the truth
    red, green, blue = (int(part) for part in picture[100, 100])
    assert green > red == blue  # the answer over the image
    assert tuple(picture[20, 20]) == (127, 127, 127)


def test_proportions_are_those_in_mm() -> None:
    image = np.full((10, 20), 0.5, np.float32)
    nothing = np.zeros((10, 20), np.int16)
    picture = paint_look(look(image, nothing, nothing, (4.0, 1.0)), (RED,), (300, 100))
    assert picture.shape[:2] == (100, 50)


def test_unknown_is_darker_and_empty_margins_are_left_out() -> None:
    image = np.zeros((30, 30), np.float32)
    image[10:20, 10:20] = 1
    truth = np.zeros((30, 30), np.int16)
    truth[:15] = -1
    picture = paint_look(look(image, truth, np.zeros((30, 30), np.int16)), (RED,), (240, 240))
    assert 0 < picture[80, 120].max() < picture[160, 120].max() == 255
    assert (picture.max(2) == 0).mean() < 0.4
