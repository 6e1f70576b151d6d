"""Run every benchmark, one process each: ``make bench``, or ``python -m benchmarks [NAME...]``."""

from __future__ import annotations

import platform
import subprocess
import sys

import torch

from napari_resmed.predict.machine import choose_machine

QUESTIONS = (
    *("start", "segment_speed", "cancel", "event_loop", "event_loop_training", "train_step", "brain_mr"),
    *("dicom_agreement", "dicom_speed", "nifti_speed", "event_loop_dicom"),
)
# Asked by name only: scribble_speed, event_loop_scribble, event_loop_classify, kept_memory (a minute each),
# scribble_large, hostile, localise, bundles, cine, modalities, search, many_cases, brain_versions, whole_head (some
# minutes each), few_slices, predict_large, scribble, model_fit (ten minutes each), classification (a quarter of an
# hour), predict_overhead (twenty minutes), nnunet_same, optimisers (half an hour each), hippocampus (an hour, two with
# nnU-Net), head_neck (two hours).


def main() -> int:
    machine = choose_machine("cpu")
    print(
        f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads, {machine.precision}", flush=True
    )
    failed = []
    for name in sys.argv[1:] or QUESTIONS:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
