"""What does a training step cost beside its network? (at most 1.15 times the bare forward and backward)

The loop's steps, batches made and augmented beside them, against forward, loss, backward and optimiser of the same
network on one batch that lies ready, in turns in the same run.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.shared import finish, shared_data
from napari_resmed.io.datasets import read_dataset
from napari_resmed.train.fingerprint import fingerprint, usable
from napari_resmed.train.loop import Schedule, Stepped
from napari_resmed.train.loss import supervised
from napari_resmed.train.make_plan import make_plan
from napari_resmed.train.rates import make_optimiser
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.session import Session
from napari_resmed.train.wishes import Wishes

LIMIT = 1.15
ROUNDS, STEPS = 6, 20
CASES = 20


def main() -> None:
    for name, minutes in (("hippocampus", 10.0), ("headneck_ct", 60.0)):
        dataset, _ = read_dataset(shared_data() / name)
        dataset = replace(dataset, cases=dataset.cases[:CASES])
        facts = finish(fingerprint(dataset))
        dataset = usable(dataset, facts)
        plan = make_plan(name, dataset, facts, None, Wishes(minutes=minutes))
        with tempfile.TemporaryDirectory() as place:
            run = RunFolder(Path(place) / "run")
            run.begin()
            compare(name, Session(plan, run.keep_dataset(dataset), run))


def compare(name: str, session: Session) -> None:
    trainer = session.trainer(None)
    trainer.schedule = Schedule(steps=10**6, check_every=10**6)
    steps = trainer.run()
    few = STEPS if session.plan.batch * np.prod(session.plan.patch) < 400_000 else STEPS // 4
    ours: list[float] = []
    bare: list[float] = []
    bare_step = make_bare(session)
    for turn in range(ROUNDS + 1):
        lap = time.perf_counter()
        for _ in range(few):
            assert isinstance(next(steps), Stepped)
        middle = time.perf_counter()
        time.sleep(0.5)  # what is being made ahead gets done, so that the bare step has the machine
        begin = time.perf_counter()
        for _ in range(few):
            bare_step()
        end = time.perf_counter()
        if turn:  # the first warms up
            ours.append((middle - lap) / few)
            bare.append((end - begin) / few)
    steps.close()
    ratio = float(np.median(ours) / np.median(bare))
    size = "x".join(map(str, (session.plan.batch, *session.plan.patch)))
    milliseconds = f"ours {np.median(ours) * 1e3:.0f} ms  bare {np.median(bare) * 1e3:.0f} ms"
    print(f"{name:12s} {size}  {milliseconds}  ratio {ratio:.3f}   of the limit {ratio / LIMIT:.2f}", flush=True)


def make_bare(session: Session):
    network, machine, batch = session.network().train(), session.machine, session.batch(0)
    optimiser = make_optimiser(network, session.plan.optimiser, 1e-3, 1e-2)
    image = batch.image.to(machine.device, memory_format=torch.channels_last_3d)
    target, annotated = batch.target.to(machine.device), batch.annotated.to(machine.device)

    def step() -> None:
        with torch.autocast(machine.device.type, machine.dtype, enabled=machine.precision != "fp32"):
            answer = network(image)
        loss = supervised(answer, target, annotated)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


if __name__ == "__main__":
    main()
