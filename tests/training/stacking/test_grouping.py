"""Which nets may be trained as one stack, and how many at once."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import EpochTimer, LRScheduler

from sklearn_mtl.tasks import Classification
from sklearn_mtl.training import train_nets
from sklearn_mtl.training.runs import make_ready, train_alone
from sklearn_mtl.training.stacking import grouping
from sklearn_mtl.trunks import MLP, TabM
from tests.balancing.methods import GradNorm
from tests.training.stacking.nets import plans_of, stacked_as_alone


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, None),
        ({"optimizer": "adam"}, "its optimizer is Adam"),
        ({"callbacks": [EpochTimer()]}, "its callbacks"),
        ({"lr_schedule": LRScheduler("StepLR", step_size=2)}, "its lr_schedule is a callback"),
        ({"compile": True}, "it is compiled"),
        ({"balancing": GradNorm()}, "GradNorm balances gradients"),
    ],
    ids=["adamw", "optimizer", "callbacks", "lr_schedule", "compile", "balancing"],
)
def test_what_is_in_no_stack_is_told_by_its_plan(data, params, words):
    (plan,) = plans_of(data, **params)
    found = grouping.why_alone(plan)
    assert found is None if words is None else words in found


def test_a_net_that_is_trained_on_is_told_by_its_own_balancer(data):
    (plan,), (other,) = (plans_of(data, balancing=own) for own in (None, GradNorm()))
    before = train_alone(make_ready(other))
    assert "balances gradients" in grouping.why_alone(replace(plan, before=before))
    assert grouping.why_alone(replace(other, before=train_alone(make_ready(plan)))) is None


def test_stacks_are_of_nearly_equal_size_and_neighbours_are_alike(data):
    settings = [{"lr": lr, "tasks": tasks(s)} for lr in (0.1, 0.2) for s in (0.0, 0.1) for _ in range(2)]
    group = {
        place: make_ready(plan)
        for place, params in enumerate(settings)
        for plan in plans_of(data, random_state=place, **params)
    }
    found = [list(stack) for stack in grouping.stacks(group, 3)]
    assert sorted(map(len, found)) == [2, 3, 3]
    assert not group
    order = [place for stack in found for place in stack]
    assert order == [0, 1, 4, 5, 2, 3, 6, 7]


def tasks(smoothing):
    return {"binary0": Classification(label_smoothing=smoothing)}


def test_nets_of_other_structures_are_stacked_apart(data, sizes):
    plans = [
        plan
        for hidden in ((8,), (8, 8), (6, 6))
        for seed in (0, 1)
        for plan in plans_of(data, trunk=MLP(hidden), random_state=seed, max_epochs=2)
    ]
    stacked_as_alone(plans)
    assert sizes == [2, 2, 2]


def test_rates_of_dropout_and_widths_of_folds_are_one_stack(sizes):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"number": rng.normal(size=90), "level": rng.choice(list("abcdef"), size=90)})
    y = {"price": rng.normal(size=90), "kind": rng.integers(0, 2, 90)}
    plans = []
    for rate in (0.1, 0.3):
        for levels in ("abcdef", "abc"):
            some = frame["level"].isin(list(levels)).to_numpy()
            part = (frame[some], {name: values[some] for name, values in y.items()}, None)
            plans += plans_of(part, trunk=TabM((8,), members=2, dropout=rate), batch_size=32, max_epochs=2)
    assert len({plan.blueprint.spec.single.shape for plan in plans}) == 2
    stacked_as_alone(plans)
    assert sizes == [4]


def test_memory_bounds_the_stack(data, monkeypatch):
    ready = make_ready(plans_of(data)[0])
    assert grouping.members_at_once(ready) == grouping.MOST_ON_CPU
    monkeypatch.setattr(grouping, "NUMBERS_ON_CPU", 3 * grouping.numbers_in_training(ready) + 1)
    assert grouping.members_at_once(ready) == 3
    wider = make_ready(plans_of(data, trunk=MLP((64, 64)))[0])
    assert grouping.numbers_in_training(wider) > grouping.numbers_in_training(ready)


class Shifted(MLP):
    """What it knows of the rows is drawn, and depends on a parameter too long to be shown whole."""

    def __init__(self, shifts=None, *, hidden_sizes=(8,)):
        super().__init__(hidden_sizes)
        self.shifts = shifts

    def fit_statistics(self, spec, sample):
        return {"shift": torch.rand(()) + float(self.shifts[1000])}


def test_fit_statistics_go_by_the_seed_and_all_of_the_trunk(data):
    shifts = np.zeros((2, 2000))
    shifts[1, 1000] = 5.0
    plans = [
        plan
        for of_trunk in shifts
        for seed in (0, 1)
        for plan in plans_of(data, trunk=Shifted(of_trunk), random_state=seed)
    ]
    before = torch.get_rng_state()
    outcomes = dict(train_nets(plans))
    assert torch.equal(before, torch.get_rng_state())
    found = [float(outcomes[place].trained().statistics_["shift"]) for place in range(4)]
    assert found == [float(train_alone(make_ready(plan)).statistics_["shift"]) for plan in plans]
    assert len(set(found)) == 4
    assert [shift > 5 for shift in found] == [False, False, True, True]
