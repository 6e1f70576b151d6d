from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_resmed.io.project import ProjectCase, State, suggest_next

MANY = st.lists(
    st.builds(
        ProjectCase,
        st.text("abcdef", min_size=1, max_size=4),
        st.sampled_from(State),
        st.none() | st.floats(0, 1),
    ),
    unique_by=lambda case: case.name,
    max_size=8,
)


def case(name: str, state: State, doubt: float | None = None) -> ProjectCase:
    return ProjectCase(name, state, doubt)


class TestSuggest:
    def test_the_model_was_least_sure_of_it(self) -> None:
        cases = [case("a", State.PREDICTED, 0.1), case("b", State.PREDICTED, 0.4), case("c", State.NOT_STARTED)]
        assert suggest_next(cases) == "b"
        assert suggest_next(cases, "b") == "a"

    def test_never_to_and_fro_between_two(self) -> None:
        cases = [case(name, State.PREDICTED, doubt) for name, doubt in (("a", 0.1), ("b", 0.4), ("c", 0.2))]
        assert suggest_next(cases, "c", {"b", "c"}) == "a"
        assert suggest_next(cases, "a", {"a", "b", "c"}) == "b"

    def test_without_predictions_the_next_in_the_list(self) -> None:
        cases = [case(name, State.NOT_STARTED) for name in "abc"]
        assert suggest_next(cases, "b") == "c"
        assert suggest_next(cases, "c") == "a"

    def test_then_what_is_corrected_but_not_accepted(self) -> None:
        assert suggest_next([case("a", State.ACCEPTED), case("b", State.CORRECTED)], "a") == "b"

    @given(MANY, st.data())
    def test_every_open_end_is_suggested_in_turn(self, cases: list[ProjectCase], data: st.DataObject) -> None:
        cases = sorted(cases, key=lambda one: one.name)
        current = data.draw(st.sampled_from([one.name for one in cases])) if cases else ""
        left = {one.name for one in cases if one.state is not State.ACCEPTED} - {current}
        seen = {current}
        for _ in range(len(left)):
            current = suggest_next(cases, current, seen)
            assert current not in seen
            seen.add(current)
        assert left <= seen
        if not left:
            assert suggest_next(cases, current, seen) == ""
