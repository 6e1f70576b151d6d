"""A training in a process of its own, to be killed."""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from napari_resmed.train.loop import Stepped
from napari_resmed.train.plan import Plan
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.session import Session

__all__ = ["start", "train"]


def train(folder: Path, tell: Connection, most: int) -> None:
    """Go on with the training in a run folder, saving after every step; its step is told after each.

    After ``most`` steps it waits for its end, however long that is in coming; 0: it goes on to its own.
    """
    torch.set_num_threads(1)
    run = RunFolder(folder)
    session = Session(Plan.load(run.plan), run.read_dataset(), run)
    trainer = session.trainer(None)
    trainer._save_every = 0.0
    trainer.load()
    tell.send(trainer.state.step)
    begun = trainer.state.step
    for step in trainer.run():
        tell.send(trainer.state.step)
        if isinstance(step, Stepped) and step.step - begun == most:
            threading.Event().wait()
    torch.save({"best": trainer.best_weights, "history": trainer.state.history}, folder / "result.pt")


def start(folder: Path, most: int = 0) -> tuple[BaseProcess, Connection]:
    """Begin it. The processes are forked from one that has torch already, so each takes no time to start."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "monai.networks.nets.unet"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=train, args=(folder, theirs, most))
    process.start()
    theirs.close()
    return process, ours
