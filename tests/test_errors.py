from __future__ import annotations

import pytest

from napari_resmed.errors import CancelledError, InputError, ModelError, ResMedError, WorkError


class TestExitCodes:
    # The command line's contract: 1 the work failed, 2 the input or the call was wrong.
    @pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (ModelError, 2), (WorkError, 1), (CancelledError, 1)])
    def test_say_whose_fault_it_was(self, kind: type[ResMedError], code: int) -> None:
        assert kind("x").exit_code == code
        assert isinstance(kind("x"), ResMedError)
