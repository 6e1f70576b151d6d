"""Many images on many workers, through Dask's scheduler."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from napari_resmed.errors import InputError, ResMedError, WorkError
from napari_resmed.events import Warning
from napari_resmed.jobs.segment_file import segment_file

__all__ = ["segment_on_cluster"]

# A scheduler that is there answers at once; a wrong address should not keep a person waiting.
CONNECT_SECONDS = 15


def segment_on_cluster(
    pairs: Sequence[tuple[Path, Path]], cluster: str, model: str, options: dict[str, Any]
) -> Iterator[tuple[int, dict[str, Any] | ResMedError]]:
    """Segment files on a Dask cluster, in whatever order they finish.

    Parameters
    ----------
    pairs:
        Image and label file of each; every worker must see both under these paths.
    cluster:
        Address of a running scheduler (``tcp://host:8786``), or ``local:N`` for N processes on this machine.
    model, options:
        As for :func:`segment_file`.

    Yields
    ------
    int, dict or ResMedError
        Place in ``pairs``, and the report, with ``warnings``, or what went wrong with that image; the others go on.

    Raises
    ------
    InputError
        If Dask's scheduler is not installed, or the address makes no sense or leads nowhere.
    """
    try:
        import dask
        from distributed import Client, LocalCluster, as_completed
    except ImportError as problem:
        raise InputError('--cluster needs the package distributed: pip install "napari-resmed[cluster]"') from problem
    # Its messages are for those who run the cluster; what goes wrong with an image is told by us.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if cluster.startswith("local:"):
            number = cluster.removeprefix("local:")
            if not number.isdecimal() or int(number) < 1:
                raise InputError(f"the cluster is {cluster!r}, expected local:N with N of 1 or more, or an address")
            # Each process gets its share of the cores; Dask's own default is one.
            threads = str(max(1, (os.cpu_count() or 1) // int(number)))
            environment = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
            dask.config.set({"distributed.nanny.pre-spawn-environ": environment})
            place: Any = stack.enter_context(
                LocalCluster(n_workers=int(number), threads_per_worker=1, dashboard_address=None)
            )
        else:
            place = cluster
        try:
            client = stack.enter_context(Client(place, timeout=CONNECT_SECONDS))
        except (OSError, ValueError, TimeoutError) as problem:
            raise InputError(f"no Dask scheduler answers at {cluster}; start one, or use local:N") from problem
        absolute = [(path.resolve(), target.resolve()) for path, target in pairs]
        futures = [client.submit(_one, path, target, model, options, pure=False) for path, target in absolute]
        order = {future.key: number for number, future in enumerate(futures)}
        for future in as_completed(futures):
            try:
                yield order[future.key], future.result()
            except Exception as problem:  # a worker that died, or an error that is none of ours
                yield order[future.key], WorkError(f"a worker failed ({type(problem).__name__})")


def _one(path: Path, target: Path, model: str, options: dict[str, Any]) -> dict[str, Any] | ResMedError:
    """Run one image to its end; this is what a worker runs. What is wrong with an image is an answer like any."""
    steps = segment_file(path, target, model, **options)
    warnings: list[str] = []
    while True:
        try:
            event = next(steps)
            if isinstance(event, Warning):
                warnings.append(event.message)
        except StopIteration as end:
            return {**end.value, "warnings": warnings}
        except ResMedError as problem:
            return problem
