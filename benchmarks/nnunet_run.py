"""nnU-Net on the raw data set of a folder, for a number of minutes; run by a Python of its own (see hippocampus.py).

An epoch is 250 steps and its learning rate falls to zero at the last, so the number of epochs is chosen beforehand from
a few timed steps. Prints the minutes of training alone.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

# The first steps are the slowest, by half; too few timed ones gave it seven of its ten minutes.
WARM_UP, TIMED = 8, 12


def main(place: Path, minutes: float) -> None:
    os.environ |= {f"nnUNet_{part}": str(place / part) for part in ("raw", "preprocessed", "results")}
    os.environ |= {"nnUNet_n_proc_DA": "1", "nnUNet_compile": "f"}
    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments, preprocess
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.run.run_training import get_trainer_from_args

    begin = time.perf_counter()
    extract_fingerprints([1], num_processes=1)
    plan_experiments([1])
    preprocess([1], configurations=("3d_fullres",), num_processes=(1,))
    device = torch.device("cpu")
    trainer = get_trainer_from_args("1", "3d_fullres", "all", device=device)
    trainer.initialize()
    trainer.on_train_start()
    for _ in range(WARM_UP):
        trainer.train_step(next(trainer.dataloader_train))
    lap = time.perf_counter()
    for _ in range(TIMED):
        trainer.train_step(next(trainer.dataloader_train))
    a_step = (time.perf_counter() - lap) / TIMED
    left = minutes * 60 - (time.perf_counter() - begin)
    steps = max(50, int(0.93 * left / a_step))

    trainer = get_trainer_from_args("1", "3d_fullres", "all", device=device)
    trainer.num_epochs = max(1, round(steps / 250))
    trainer.num_iterations_per_epoch = max(1, steps // trainer.num_epochs)
    trainer.num_val_iterations_per_epoch = 5
    trainer.run_training()
    spent = (time.perf_counter() - begin) / 60

    predictor = nnUNetPredictor(device=device, perform_everything_on_device=False, allow_tqdm=False)
    results = Path(trainer.output_folder_base)
    predictor.initialize_from_trained_model_folder(
        str(results), use_folds=("all",), checkpoint_name="checkpoint_final.pth"
    )
    predictor.predict_from_files(
        str(place / "unseen"), str(place / "out"), num_processes_preprocessing=1, num_processes_segmentation_export=1
    )
    print(spent)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
