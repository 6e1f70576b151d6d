from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_resmed.prepare.grid import UNKNOWN
from napari_resmed.review.familiar import Familiar
from napari_resmed.train.case_facts import examine
from napari_resmed.train.plan import Plan
from napari_resmed.train.run_folder import RunFolder
from napari_resmed.train.session import WATCHED, Session
from tests.train.small import STILL, dataset, finish, little_plan


def session(folder: Path, plan: Plan | None = None, count: int = 4, rank: int = 0, ranks: int = 1) -> Session:
    run = RunFolder(folder / "run")
    run.path.mkdir(parents=True, exist_ok=True)
    return Session(plan or little_plan(), dataset(count), run, rank, ranks)


class TestNetwork:
    def test_begins_the_same_each_time(self, tmp_path: Path) -> None:
        made = session(tmp_path)
        one, other = made.network().state_dict(), made.network().state_dict()
        assert all(torch.equal(one[name], other[name]) for name in one)
        seeded = session(tmp_path, little_plan(seed=1)).network().state_dict()
        assert not all(torch.equal(one[name], seeded[name]) for name in one)

    def test_the_programs_own_randomness_is_left_alone(self, tmp_path: Path) -> None:
        made = session(tmp_path)
        torch.manual_seed(3)
        expected = torch.rand(3)
        torch.manual_seed(3)
        made.network()
        assert torch.equal(torch.rand(3), expected)

    def test_begins_with_the_base_where_there_is_one(self, tmp_path: Path) -> None:
        made = session(tmp_path)
        base = {name: tensor + 1 for name, tensor in made.network().state_dict().items()}
        torch.save(base, made.run.base)
        assert all(torch.equal(tensor, base[name]) for name, tensor in made.network().state_dict().items())


class TestBatch:
    def test_learns_from_the_cases_of_the_plan_alone(self, tmp_path: Path) -> None:
        made = session(tmp_path)
        for step in range(6):
            made.batch(step)
        assert made.store.in_memory == {0, 1, 2}

    def test_ranks_share_it(self, tmp_path: Path) -> None:
        whole = session(tmp_path).batch(3)
        parts = [session(tmp_path, rank=rank, ranks=2).batch(3) for rank in (0, 1)]
        assert torch.equal(torch.cat([part.image for part in parts]), whole.image)


class TestCases:
    def test_a_base_looks_at_images_rather_than_at_label_maps(self, tmp_path: Path) -> None:
        known = dataset(4)
        alone = replace(known.cases[0], images=(known.cases[0].labels,))
        run = RunFolder(tmp_path / "run")
        run.path.mkdir()
        made = Session(little_plan(), replace(known, cases=(alone, *known.cases[1:])), run)
        assert [case.has_image for case in made.some_cases(2)] == [True, True]
        assert made.store.in_memory == {1, 2}

    def test_volumes_of_what_is_partly_painted_are_compared_with_nothing(self, tmp_path: Path) -> None:
        known = dataset(4)
        for only_painted in (False, True):
            shown = replace(known.cases[3], annotated=(1,), only_painted=only_painted)
            run = RunFolder(tmp_path / f"run{only_painted}")
            run.path.mkdir()
            made = Session(little_plan(), replace(known, cases=(*known.cases[:3], shown)), run)
            finish(made.judge(made.network()))
            assert len(made.answered) == (not only_painted)


class TestHeldOut:
    def test_cases_where_there_are_some(self, tmp_path: Path) -> None:
        made = session(tmp_path)
        assert [name for name, _ in made.held_out] == ["case3"]
        assert (made.held_out[0][1]().target != UNKNOWN).all()

    def test_no_more_than_a_few_are_watched(self, tmp_path: Path) -> None:
        names = tuple(f"case{k}" for k in range(1, 12))
        made = session(tmp_path, little_plan(training=("case0",), held_out=names), 12)
        assert (made.watched, len(made.held_out)) == (WATCHED, 11)

    def test_a_block_of_the_only_case(self, tmp_path: Path) -> None:
        made = session(tmp_path, little_plan(training=("case0",), held_out=()), 1)
        ((name, load),) = made.held_out
        out = load().target != UNKNOWN
        learnt = made._case(0).target != UNKNOWN
        assert name == "case0"
        assert out.any()
        assert learnt.any()
        assert not (out & learnt).any()

    def test_a_block_of_each_case_of_a_single_patient(self, tmp_path: Path) -> None:
        count = 6
        names = tuple(f"case{k}" for k in range(count))
        plan = little_plan(training=names, held_out=(), augmentation=STILL, memory_mb=0.25)
        made = session(tmp_path, plan, count)
        assert [name for name, _ in made.held_out] == list(names)
        for _ in range(2):
            for number, (_, load) in enumerate(made.held_out):
                whole = made.store[number]
                out, learnt = load(), made._case(number)
                assert np.array_equal(np.maximum(out.target, learnt.target), whole.target)
                assert not ((out.target != UNKNOWN) & (learnt.target != UNKNOWN)).any()
                assert made.store.bytes_in_memory <= 0.25 * 2**20  # the parts count too
        assert 1 < len(made.store.in_memory) < count

    def test_only_that_block_is_judged(self, tmp_path: Path) -> None:
        made = session(tmp_path, little_plan(training=("case0",), held_out=()), 1)
        dice = finish(made.check(made.network()))
        assert len(dice) == 2
        assert made.look is not None
        assert (made.look.truth != UNKNOWN).any()


class TestJudging:
    def test_looks_at_the_watched_and_judges_all(self, tmp_path: Path) -> None:
        made = session(tmp_path, little_plan(training=("case0",), held_out=("case1", "case2", "case3")))
        made.watched = 1
        finish(made.check(made.network()))
        assert made.store.in_memory == {1}
        finish(made.judge(made.network()))
        assert made.store.in_memory == {1, 2, 3}

    def test_tells_where_little_is_held_out(self, tmp_path: Path) -> None:
        made = session(tmp_path, little_plan(training=("case0",), held_out=()), 1)
        finish(made.judge(made.network()))
        assert [one.keys() for one in made.shown] == [{1, 2}]
        assert made.little() == made.expects_little()
        assert "is hardly a figure" in made.little()
        many = session(tmp_path / "many", little_plan(training=("case0",), held_out=("case1", "case2", "case3")))
        assert many.expects_little() == ""
        assert not many.store.in_memory  # nothing was opened for it

    def test_takes_a_picture_of_the_first(self, tmp_path: Path) -> None:
        made = session(tmp_path)
        assert made.look is None
        finish(made.check(made.network()))
        assert made.look is not None
        assert made.look.case == "case3"
        assert made.look.image.shape == made.look.truth.shape == made.look.answer.shape == (22, 24)

    def test_a_network_that_is_training_goes_on_training(self, tmp_path: Path) -> None:
        made = session(tmp_path)
        trainer = made.trainer(None)
        finish(trainer.run())
        assert trainer.state.step == 30
        assert trainer.network.training


class TestLearning:
    def test_the_little_data_set_is_learnt(self, tmp_path: Path) -> None:
        made = session(tmp_path, little_plan(steps=200, check_every=100, learning_rate=0.01))
        trainer = made.trainer(None)
        finish(trainer.run())
        assert trainer.state.best > 0.8

    @pytest.mark.parametrize("seed", [0, 1])
    def test_is_the_same_each_time(self, seed: int, tmp_path: Path) -> None:
        best = []
        for name in ("one", "other"):
            trainer = session(tmp_path / name, little_plan(seed=seed, steps=12, check_every=6)).trainer(None)
            finish(trainer.run())
            best.append(trainer.best_weights)
        assert all(torch.equal(best[0][name], best[1][name]) for name in best[0])


class TestFamiliar:
    def known(self, folder: Path, share: float) -> Familiar:
        names = tuple(f"case{number}" for number in range(12))
        made = session(folder, little_plan(training=names[:11], held_out=names[11:], synthetic=share), count=12)
        facts = [found for one in made.store.dataset.cases if (found := examine(one, made.store.dataset).facts)]
        return made.familiar(facts)

    def test_with_how_images_look_that_were_learnt_from(self, tmp_path: Path) -> None:
        known = self.known(tmp_path, 0.0)
        assert len(known.lowest) == len(known.looks.appearance) == 1

    @pytest.mark.parametrize("share", [0.5, 1.0])
    def test_with_any_contrast_where_images_were_painted(self, share: float, tmp_path: Path) -> None:
        known = self.known(tmp_path, share)
        assert known.images == 12
        assert known.extent_mm == ((20.0, 20.0), (22.0, 22.0), (24.0, 24.0))
        assert known.lowest == known.looks.appearance == ()
