"""How well are images told apart after so many minutes? (pneumonia 0.985 after 5, adrenal glands 0.84 after 10)

Trained by the Train job on the part of MedMNIST's files that is for training, with nothing chosen by hand; the area
under the ROC curve is that of the validation part, which also chose the best stage. The published figures beside it are
those of ResNet-18 on the test part, which is kept elsewhere, so they are no comparison, only an idea of what is usual.
``python -m benchmarks.classification [pneumonia] [adrenal] [MINUTES] [PLAN.json]`` gives one of the two, another time,
and entries of the plan that are otherwise.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.shared import finish, shared_data
from napari_resmed.io.images_in import images_in
from napari_resmed.jobs.classify import classify
from napari_resmed.jobs.train import train

# File, minutes, goal, and what is published of ResNet-18: MedMNIST v2 (arXiv 2110.14795), tables 3 and 4, AUC and
# accuracy on the test part; of adrenal glands at 28 voxels, as the table has none at 64.
QUESTIONS = {
    "pneumonia": ("pneumoniamnist.npz", 5.0, 0.985, (0.944, 0.854)),
    "adrenal": ("adrenalmnist3d_64.npz", 10.0, 0.84, (0.827, 0.721)),
}


def main() -> None:
    asked = [word for word in sys.argv[1:] if word in QUESTIONS] or list(QUESTIONS)
    plans = [word for word in sys.argv[1:] if word.endswith(".json")]
    changes = json.loads(Path(plans[0]).read_text(encoding="utf-8")) if plans else None
    minutes = [float(word) for word in sys.argv[1:] if word not in [*QUESTIONS, *plans]]
    for name in asked:
        file, usual, goal, published = QUESTIONS[name]
        data = shared_data() / "classification" / file
        measure(name, data, minutes[0] if minutes else usual, goal, published, changes)


def measure(
    name: str,
    data: Path,
    minutes: float,
    goal: float,
    published: tuple[float, float],
    changes: dict[str, Any] | None,
) -> None:
    with tempfile.TemporaryDirectory() as place:
        begin = time.perf_counter()
        done = finish(train(data, Path(place) / name, task="classify", minutes=minutes, plan=changes))
        spent = (time.perf_counter() - begin) / 60
        looks = done.history[:: max(1, len(done.history) // 10)]
        print("  AUC by minutes: " + ", ".join(f"{e['seconds'] / 60:.1f}: {e['mean_auc']:.3f}" for e in looks))
        print(f"  {done.plan['reasons']['network']}; {done.history[-1]['step']} steps of {done.plan['batch']}")
        print(f"  patch {done.plan['patch']} ({done.plan['fit']}), {done.plan['arguments']['backbone_arguments']}")
        images = [image for image in images_in([data]) if image.parent.name == "val"]
        begin = time.perf_counter()
        answers = finish(classify(images, done.model))
        each = 1000 * (time.perf_counter() - begin) / len(images)
    assert done.best_metric is not None
    strange = sum(image.quality != "good" for image in answers.images)
    best = done.best_metric
    print(
        f"{name:10s} {spent:4.1f} min   validation AUC {best:.4f}   of the goal {best / goal:.4f}"
        f"   (published, test: AUC {published[0]:.3f}, accuracy {published[1]:.3f})"
    )
    print(f"  classified in {each:.0f} ms an image; {strange} of {len(images)} look unusual", flush=True)


if __name__ == "__main__":
    main()
