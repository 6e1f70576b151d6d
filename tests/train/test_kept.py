from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.train.kept import Kept


class TestKept:
    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60), st.integers(0, 100))
    def test_whatever_is_put_the_budget_holds(self, put: list[tuple[int, int]], budget: int) -> None:
        kept: Kept[int, str] = Kept(budget)
        for key, size in put:
            kept.put(key, "x" * size, size)
            values = [kept.get(key) for key in kept]
            assert kept.nbytes == sum(len(value) for value in values if value is not None)
            assert kept.nbytes <= budget or list(kept) == [key]
            assert kept.get(key) == "x" * size

    def test_what_was_used_stays(self) -> None:
        kept: Kept[str, int] = Kept(3)
        for key in "abc":
            kept.put(key, 1, 1)
        assert kept.get("a") == 1
        kept.put("d", 1, 1)
        assert list(kept) == ["c", "a", "d"]
        kept.drop("a")
        kept.drop("never there")
        assert (list(kept), kept.nbytes) == (["c", "d"], 2)
