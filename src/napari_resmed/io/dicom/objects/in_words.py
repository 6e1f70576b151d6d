"""What goes wrong inside a file, told in one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from napari_resmed.errors import InputError, WorkError
from napari_resmed.io.dicom.values import Malformed

__all__ = ["in_words"]


@contextmanager
def in_words(name: str) -> Iterator[None]:
    """Turn whatever pydicom and others meet in a broken file into an error for a person, and silence the rest."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values, and say nothing that we do not check
            yield
    except (InputError, WorkError):
        raise
    except Malformed as problem:
        raise InputError(f"{name}: {problem}") from problem
    except MemoryError as problem:
        raise WorkError(f"not enough memory for the voxels of {name}; close other programs") from problem
    except OSError as problem:
        raise InputError(
            f"{name} cannot be opened ({problem.strerror or 'it is cut off'}); check the file"
        ) from problem
    except Exception as problem:  # a broken file breaks anywhere
        raise InputError(
            f"{name} cannot be read: it is cut off, damaged or in an unknown encoding; copy it again from its source"
        ) from problem
