"""A stack of nets is those nets: the same weights, history and end, to rounding."""

import pickle
from weakref import ref

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.balancing import GradientBalancer, LossBalancer
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.tasks import Classification, Regression
from sklearn_mtl.training import train_nets
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.runs import make_ready, train_alone
from sklearn_mtl.training.stacking import comparison, grouping
from sklearn_mtl.training.stacking import train as stacking
from sklearn_mtl.training.stacking.batches import N_ROWS, rows_to_try
from sklearn_mtl.training.stacking.grouping import Structures
from sklearn_mtl.trunks import MLP, ModuleTrunk, TabM


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(
        n_samples=150,
        n_features=5,
        n_regression=2,
        n_binary=1,
        n_multiclass=1,
        missing_labels=0.2,
        noise=1.0,
        random_state=0,
    )
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    return X, Y, weight


@pytest.fixture(autouse=True)
def stack_even_two(monkeypatch):
    monkeypatch.setattr(stacking, "FEWEST_ON_CPU", 2)


def plans_of(data, **params):
    settings = {
        "trunk": MLP((8,)),
        "n_bags": 1,
        "max_epochs": 6,
        "lr": 0.01,
        "precision": "float64",
        "random_state": 0,
    }
    est = MultiTaskClassifierRegressor(**{**settings, **params})
    return list(est._plan(FitData(*data), Stages()).plans)


def rows(data, n_rows):
    X, Y, weight = data
    return X[:n_rows], {name: y[:n_rows] for name, y in Y.items()}, weight[:n_rows]


def same_net(one, other, tolerance):
    assert len(one.history) == len(other.history)
    for name, value in one.module_.state_dict().items():
        torch.testing.assert_close(value, other.module_.state_dict()[name], rtol=tolerance, atol=tolerance)
    for name, value in one.resume_.weights.items():
        torch.testing.assert_close(value, other.resume_.weights[name], rtol=tolerance, atol=tolerance)
    assert torch.equal(one.resume_.generator.cpu, other.resume_.generator.cpu)
    for key in ("train_loss", "valid_loss", "valid_score", "weight"):
        for mine, theirs in zip(one.epochs_, other.epochs_, strict=True):
            np.testing.assert_allclose(mine.get(key, 0), theirs.get(key, 0), rtol=tolerance, atol=tolerance)
    for mine, theirs in zip(one.history, other.history, strict=True):
        for key in ("epoch", "train_batch_count", "train_loss_best", "valid_loss_best"):
            assert mine.get(key) == theirs.get(key)
    mine, theirs = one.optimizer_.state_dict()["state"], other.optimizer_.state_dict()["state"]
    assert mine.keys() == theirs.keys()
    for place, moments in mine.items():
        for key, value in moments.items():
            torch.testing.assert_close(value, theirs[place][key], rtol=tolerance, atol=tolerance)


def stacked_as_alone(plans, tolerance=1e-8, **options):
    outcomes = dict(train_nets(plans, **options))
    assert [outcomes[place].alone for place in range(len(plans))] == [None] * len(plans)
    for place, plan in enumerate(plans):
        same_net(outcomes[place].trained(), train_alone(make_ready(plan)), tolerance)
    return outcomes


TRUNKS = [
    MLP((8, 8), dropout=0.2),
    MLP((8,), normalization="layer", activation="gelu"),
    MLP(()),
    TabM((8,), members=3),
    TabM((8, 8), members=2, embedding=None),
]


@pytest.mark.parametrize("trunk", TRUNKS, ids=repr)
def test_candidates(data, trunk):
    stacked_as_alone(
        [
            plan
            for settings in (
                {},
                {"task_weights": {"regression0": 10.0, "binary0": 0.0}},
                {"lr": 0.03, "weight_decay": 0.1},
                {"random_state": 1},
                {"patience": 1, "max_epochs": 9},
            )
            for plan in plans_of(data, trunk=trunk, **settings)
        ]
    )


@pytest.mark.parametrize(
    "params",
    [
        {"ema_decay": None},
        {"early_stopping": False, "calibrate": False},
        {"gradient_clip": 0.05},
        {"lr_schedule": "one_cycle"},
        {"head_hidden_sizes": (4,)},
        {"n_bags": 3},
        {"batch_size": 7},
    ],
    ids=str,
)
def test_settings(data, params):
    plans = [
        plan
        for weight in (0.1, 3.0)
        for plan in plans_of(
            data, trunk=MLP((8,), dropout=0.3), task_weights={"binary0": weight}, max_epochs=4, **params
        )
    ]
    stacked_as_alone(plans)


def test_dropout_rates_and_loss_parameters(data):
    plans = []
    for rate, smoothing, delta in ((0.1, 0.0, 1.0), (0.5, 0.0, 0.5), (0.1, 0.1, 1.0), (0.5, 0.1, 0.5)):
        tasks = {
            "regression0": Regression(loss="huber", delta=delta),
            "binary0": Classification(label_smoothing=smoothing),
            "multiclass0": Classification(label_smoothing=smoothing),
        }
        plans += plans_of(data, trunk=TabM((8,), members=2, dropout=rate), tasks=tasks)
    stacked_as_alone(plans)


def test_a_stack_in_single_precision(data):
    plans = [
        plan
        for weight in (0.1, 1.0, 10.0)
        for plan in plans_of(data, precision="float32", task_weights={"binary0": weight})
    ]
    stacked_as_alone(plans, tolerance=1e-4)


def test_folds_of_other_rows_and_numbers_of_batches(data):
    plans = [
        plan
        for n_rows in (150, 101, 72)
        for plan in plans_of(
            rows(data, n_rows), trunk=TabM((8,), members=2), batch_size=16, validation_fraction=0.2
        )
    ]
    assert len({plan.n_batches for plan in plans}) > 1
    stacked_as_alone(plans)


@pytest.mark.parametrize("first_to_end", ["abcdefgh", "abcde", "abc", None])
@pytest.mark.parametrize("trunk", [MLP((8,)), TabM((8,), members=2)], ids=repr)
def test_folds_of_other_encoded_widths(trunk, first_to_end):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"number": rng.normal(size=120), "level": rng.choice(list("abcdefgh"), size=120)})
    y = {"price": frame["number"].to_numpy() + (frame["level"] == "a"), "kind": rng.integers(0, 2, 120)}
    plans = []
    for levels in ("abcdefgh", "abcde", "abc"):
        some = frame["level"].isin(list(levels)).to_numpy()
        part = (frame[some], {name: values[some] for name, values in y.items()}, None)
        epochs = 2 if levels == first_to_end else 4
        plans += plans_of(
            part, trunk=trunk, batch_size=32, early_stopping=False, calibrate=False, max_epochs=epochs
        )
    widths = [plan.blueprint.spec.single.shape[0] for plan in plans]
    assert len(set(widths)) == 3
    outcomes = stacked_as_alone(plans)
    for place, width in enumerate(widths):
        assert outcomes[place].net.evaluated.sharing.trunk.stages[0][0].weight.shape[1] >= width


def test_nets_that_stop_at_other_epochs(data):
    plans = [
        plan
        for patience, lr in ((1, 0.3), (2, 0.1), (30, 0.003))
        for plan in plans_of(data, patience=patience, lr=lr, max_epochs=25)
    ]
    outcomes = stacked_as_alone(plans, tolerance=1e-7)
    assert len({len(outcome.net.history) for outcome in outcomes.values()}) > 1


def test_a_learned_balancer_with_a_memory(data):
    plans = [plan for seed in (0, 1) for plan in plans_of(data, balancing=Remembering(), random_state=seed)]
    outcomes = stacked_as_alone(plans)
    balancers = [outcome.net.criterion_.balancer for outcome in outcomes.values()]
    assert not torch.equal(balancers[0].spread, torch.zeros(4))
    assert not torch.equal(balancers[0].last, balancers[1].last)


class Remembering(LossBalancer):
    """Learned weights, and the losses of the last epoch."""

    def start(self, n_tasks):
        self.spread = nn.Parameter(torch.zeros(n_tasks))
        self.register_buffer("last", torch.ones(n_tasks))

    def end_epoch(self, losses):
        self.last = losses.detach().clone().to(self.last)

    def forward(self, losses, weights):
        return (losses * weights / self.last * torch.exp(-self.spread) + self.spread).sum()


class Following(LossBalancer):
    """Remembers the losses of the step before, and counts steps."""

    def start(self, n_tasks):
        self.register_buffer("last", torch.ones(n_tasks))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, losses, weights):
        of_before = self.last.clone()
        self.last.copy_(losses.detach())
        self.steps = self.steps + 1
        return (losses * weights * of_before).sum()


class Pacing(Following):
    """Weighs by how far each loss fell in the step before."""

    def start(self, n_tasks):
        super().start(n_tasks)
        self.register_buffer("pace", torch.ones(n_tasks))

    def forward(self, losses, weights):
        super().forward(losses, weights)
        return (losses * weights * self.pace).sum()

    def after_step(self, losses):
        self.pace.copy_((losses() / self.last.clamp_min(1e-6)).clamp(0.5, 2.0))


class AllAtOnce(Pacing):
    """A learned rate, and memories of the step and of the epoch."""

    def start(self, n_tasks):
        super().start(n_tasks)
        self.spread = nn.Parameter(torch.zeros(n_tasks))
        self.register_buffer("epoch", torch.ones(n_tasks))

    def end_epoch(self, losses):
        self.epoch = self.pace * losses.detach().to(self.last)

    def forward(self, losses, weights):
        own = (-self.spread).exp() / self.epoch.clamp_min(1e-3) + self.spread
        return super().forward(losses, weights) + (own * losses).sum()


@pytest.mark.parametrize("balancer", [Following(), Pacing(), AllAtOnce()], ids=repr)
@pytest.mark.parametrize(
    "params", [{}, {"trunk": TabM((8,), members=2, dropout=0.3)}, {"patience": 1}], ids=str
)
def test_what_a_balancer_remembers_of_steps_is_each_nets_own(data, balancer, params):
    # Nets of fewer rows have fewer steps in an epoch.
    settings = {"balancing": balancer, "batch_size": 32, **params}
    plans = [
        plan
        for n_rows in (150, 60)
        for seed in (0, 1)
        for plan in plans_of(rows(data, n_rows), random_state=seed, **settings)
    ]
    outcomes = stacked_as_alone(plans, tolerance=1e-6)
    assert len({len(plan.batch_sizes) for plan in plans}) > 1
    for place, outcome in outcomes.items():
        of_alone = train_alone(make_ready(plans[place])).criterion_.balancer
        of_stack = outcome.net.criterion_.balancer
        for name, value in of_alone.state_dict().items():
            torch.testing.assert_close(of_stack.state_dict()[name], value, rtol=1e-6, atol=1e-6)
        # What is left of a stack is not held by its nets.
        for value in of_stack.buffers():
            assert value.untyped_storage().nbytes() == value.nbytes
        assert of_stack.steps == of_stack.steps.new_tensor(
            len(outcome.net.history) * len(plans[place].batch_sizes)
        )


class Learned(LossBalancer):
    """Weights that are learned at a rate of their own."""

    def start(self, n_tasks):
        self.spread = nn.Parameter(torch.zeros(n_tasks))

    def param_groups(self):
        return [{"params": [self.spread], "lr": 0.5, "weight_decay": 0.0}]

    def forward(self, losses, weights):
        return (losses * weights * torch.exp(-self.spread) + self.spread).sum()


@pytest.mark.parametrize("params", [{}, {"lr_schedule": "cosine", "gradient_clip": 0.5}], ids=str)
def test_groups_of_parameters_with_rates_of_their_own(data, params):
    plans = [
        plan
        for lr in (0.01, 0.03, 0.1)
        for plan in plans_of(data, balancing=Learned(), lr=lr, weight_decay=0.1, **params)
    ]
    outcomes = stacked_as_alone(plans, tolerance=1e-6)
    # Six steps at the net's own rate would move it by 0.06.
    assert outcomes[0].net.criterion_.balancer.spread.abs().max() > 0.2


# What is trained alone


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTM(1, 6, batch_first=True)

    def forward(self, x):
        return self.cell(x.unsqueeze(-1))[0][:, -1]


class Deciding(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 6)

    def forward(self, x):
        hidden = self.linear(x)
        return hidden if hidden.sum() > 0 else hidden * 2


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 6)

    def forward(self, x):
        return nn.functional.dropout(self.linear(x), 0.2, self.training)


class AcrossRows(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 6)

    def forward(self, x):
        return self.linear(x - x.mean(0))


class Chance(LossBalancer):
    def forward(self, losses, weights):
        return losses @ torch.rand_like(weights)


class Growing(LossBalancer):
    """Remembers the losses of all steps, in a buffer that grows."""

    def start(self, n_tasks):
        self.register_buffer("seen", torch.ones(1, n_tasks))

    def forward(self, losses, weights):
        self.seen = torch.cat([self.seen, losses.detach()[None]])
        return losses @ weights


class Pushing(LossBalancer):
    """Moves a learned parameter other than by its gradient."""

    def start(self, n_tasks):
        self.level = nn.Parameter(torch.ones(n_tasks))

    def forward(self, losses, weights):
        return losses @ weights + self.level.sum()

    def after_step(self, losses):
        self.level += losses()


class Counting(LossBalancer):
    """Counts epochs in a plain attribute."""

    epochs = 0

    def end_epoch(self, losses):
        self.epochs = self.epochs + 1

    def forward(self, losses, weights):
        return losses @ weights / (1 + self.epochs)


class OwnBackward(LossBalancer):
    def forward(self, losses, weights):
        return losses @ weights

    def backward(self, losses, weights, penalty, shared):
        return super().backward(losses, 2 * weights, penalty, shared)


class ByGradients(GradientBalancer):
    def forward(self, gradients, losses, weights):
        return weights @ gradients


def normed():
    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"trunk": ModuleTrunk(Recurrent())}, "vmap can't batch it"),
        ({"trunk": ModuleTrunk(Deciding())}, "vmap can't batch it"),
        ({"trunk": ModuleTrunk(Noisy())}, "random numbers other than by Dropout"),
        ({"trunk": ModuleTrunk(AcrossRows())}, "computes something else"),
        ({"trunk": ModuleTrunk(normed())}, "batch normalization"),
        ({"balancing": Chance()}, "random numbers other than by Dropout"),
        ({"balancing": Growing()}, "each step changes 'seen' of its balancer"),
        ({"balancing": Pushing()}, "each step changes 'level' of its balancer"),
        ({"balancing": Counting()}, "training changes its attribute 'epochs', which is no buffer"),
        ({"balancing": ByGradients()}, "balances gradients"),
        ({"balancing": OwnBackward()}, "OwnBackward has a backward of its own"),
        ({"optimizer": "sgd"}, "its optimizer is SGD"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_stacked_is_trained_alone_and_says_why(data, params, words):
    X, Y, weight = data
    complete = (X.astype(np.float64), Y, weight)
    plans = [
        plan
        for seed in (0, 1)
        for plan in plans_of(complete, max_epochs=2, preprocessing=None, random_state=seed, **params)
    ]
    outcomes = dict(train_nets(plans))
    for place, plan in enumerate(plans):
        assert words in outcomes[place].alone
        same_net(outcomes[place].trained(), train_alone(make_ready(plan)), 1e-12)


class Scaled(LossBalancer):
    """Scales the losses by what it has in a function, where nothing can be read off."""

    def __init__(self, scales=(1.0,)):
        super().__init__()
        self.scales = scales

    def start(self, n_tasks):
        scales = torch.tensor(self.scales)
        self.scaled = lambda losses: losses * scales.to(losses)

    def forward(self, losses, weights):
        return self.scaled(losses) @ weights


class Sideways(nn.Module):
    """Changes neither outputs nor penalty, but gradients."""

    def __init__(self, factor):
        super().__init__()
        self.linear = nn.Linear(5, 6)
        self.factor = factor

    def forward(self, x):
        hidden = self.linear(x)
        return (1 - self.factor) * hidden.detach() + self.factor * hidden


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize(
    ("params", "words"),
    [
        ([{"balancing": Scaled((1.0,) * 4)}, {"balancing": Scaled((1.0, 1.0, 1.0, 1.01))}], "gradient of"),
        ([{"trunk": ModuleTrunk(Sideways(f))} for f in (1.0, 0.99)], "gradient of 'module.sharing.trunk"),
    ],
    ids=["balancer", "trunk"],
)
def test_a_step_tells_apart_what_no_attribute_shows(data, monkeypatch, params, words, precision):
    monkeypatch.setattr(Structures, "_of_recipe", lambda self, ready: 0)
    X, Y, weight = data
    plans = [
        plan
        for own in (params[0], params[0], params[1])
        for plan in plans_of(
            (X.astype(np.float64), Y, weight), max_epochs=2, preprocessing=None, precision=precision, **own
        )
    ]
    outcomes = dict(train_nets(plans))
    assert outcomes[0].alone is outcomes[1].alone is None
    assert f"stacked, it computes something else: another {words}" in outcomes[2].alone
    same_net(outcomes[2].trained(), train_alone(make_ready(plans[2])), 1e-6)


def test_a_difference_that_does_not_come_again_is_rounding(data, monkeypatch):
    plans = [plan for seed in (0, 1, 2) for plan in plans_of(data, random_state=seed, max_epochs=2)]
    original, tries = comparison.differences, []

    def by_chance(trainer, *args):
        tries.append([member.position for member in trainer.members])
        yield from original(trainer, *args)
        # One net's step looks different on the first rows only, another's on both.
        for position in [1] if len(tries) > 1 else [0, 1]:
            yield "a sign", torch.tensor([member.position == position for member in trainer.members])

    monkeypatch.setattr(comparison, "differences", by_chance)
    outcomes = dict(train_nets(plans))
    assert tries == [[0, 1, 2], [0, 1, 2]]
    reasons = [outcomes[place].alone for place in range(3)]
    assert reasons == [None, "stacked, it computes something else: a sign", None]
    for place, plan in enumerate(plans):
        same_net(outcomes[place].trained(), train_alone(make_ready(plan)), 1e-8)


def test_a_net_whose_step_fails_does_not_hurt_the_others(data):
    plans = [*plans_of(data), *plans_of(data, balancing=Scaled((1.0, 2.0))), *plans_of(data, random_state=1)]
    outcomes = dict(train_nets([*plans, *plans_of(data, balancing=Scaled((1.0, 2.0)), random_state=1)]))
    assert [outcomes[place].alone for place in (0, 2)] == [None, None]
    for place in (1, 3):
        assert "its step fails: The size of tensor" in outcomes[place].alone
        assert isinstance(outcomes[place].error, RuntimeError)


class Failing(nn.Module):
    def __init__(self, mode):
        super().__init__()
        self.linear = nn.Linear(5, 6)
        self.mode = mode
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        # The first passes are those by which the network is built.
        if self.calls > 2 and self.training is self.mode:
            raise RuntimeError("it fails")
        return self.linear(x)


@pytest.mark.parametrize("mode", [True, False], ids=["in training", "in evaluation"])
def test_a_module_that_fails_does_not_hurt_the_others(data, mode):
    X, Y, weight = data
    plans = [
        plan
        for trunk in (None, ModuleTrunk(nn.Linear(5, 6)), ModuleTrunk(Failing(mode)))
        for seed in (0, 1)
        for plan in plans_of((X, Y, weight), trunk=trunk, preprocessing=None, random_state=seed, max_epochs=1)
    ]
    outcomes = dict(train_nets(plans))
    assert [outcomes[place].error is None for place in range(6)] == [True] * 4 + [False] * 2
    assert [outcomes[place].alone for place in range(4)] == [None] * 4


def test_a_label_of_each_task_is_among_the_rows_that_are_tried(data):
    X, Y, weight = data
    late = {name: np.array(y, dtype=object) for name, y in Y.items()}
    late["binary0"][:70] = None
    (plan,) = plans_of((X, late, weight), early_stopping=False)
    first, last = (rows_to_try([plan.train] * 2, last=last)[id(plan.train)] for last in (False, True))
    for rows in (first, last):
        assert len(rows.y) == N_ROWS
        assert (rows.weight > 0).any(0).all()
        assert (rows.weight == 0).any()
    assert not torch.equal(first.y, last.y)


def test_nets_of_other_structures_are_stacked_apart(data):
    plans = [
        plan
        for hidden in ((8,), (8, 8), (6, 6))
        for seed in (0, 1)
        for plan in plans_of(data, trunk=MLP(hidden), random_state=seed, max_epochs=2)
    ]
    stacked_as_alone(plans)


def test_a_single_net_is_no_stack(data):
    (outcome,) = dict(train_nets(plans_of(data, max_epochs=1))).values()
    assert "fewer than 2 nets" in outcome.alone


def test_few_nets_are_no_stack_on_a_cpu(data, monkeypatch):
    monkeypatch.undo()
    fewest = stacking.FEWEST_ON_CPU
    assert fewest > 2
    plans = [plan for seed in range(fewest) for plan in plans_of(data, max_epochs=1, random_state=seed)]
    few = dict(train_nets(plans[1:]))
    assert {outcome.alone for outcome in few.values()} == {
        f"a stack of fewer than {fewest} nets is no faster"
    }
    assert {outcome.alone for outcome in dict(train_nets(plans)).values()} == {None}


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


def test_facts_are_of_the_seed_and_of_all_of_the_trunk(data):
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


# Failures, limits, and what is left as it was


def test_a_net_that_diverges_does_not_hurt_the_others(data):
    plans = [*plans_of(data), *plans_of(data, lr=1e30), *plans_of(data, random_state=3)]
    outcomes = dict(train_nets(plans))
    assert "nan or infinite in the first epoch" in str(outcomes[1].error)
    with pytest.raises(ValueError, match="nan or infinite"):
        outcomes[1].trained()
    for place in (0, 2):
        same_net(outcomes[place].trained(), train_alone(make_ready(plans[place])), 1e-10)


def test_a_net_that_cannot_be_built_does_not_hurt_the_others(data):
    plans = [*plans_of(data), *plans_of(data, trunk=MLP((0,))), *plans_of(data, random_state=1)]
    outcomes = dict(train_nets(plans))
    assert isinstance(outcomes[1].error, ValueError)
    assert outcomes[0].alone is None
    assert outcomes[2].alone is None


@pytest.fixture
def sizes(monkeypatch):
    """Sizes of the stacks that are made."""
    found = []
    original = stacking.StackedTrainer

    class Counted(original):
        def __init__(self, ready):
            found.append(len(ready))
            super().__init__(ready)

    monkeypatch.setattr(stacking, "StackedTrainer", Counted)
    return found


def test_stacks_of_at_most_so_many(data, sizes):
    plans = [plan for seed in range(7) for plan in plans_of(data, max_epochs=2, random_state=seed)]
    stacked_as_alone(plans, max_members=3)
    assert sorted(sizes) == [2, 2, 3]


def test_halves_where_memory_is_short(data, monkeypatch, sizes):
    plans = [plan for seed in range(5) for plan in plans_of(data, max_epochs=2, random_state=seed)]
    original = stacking.StackedTrainer.run
    stacks = []

    def short(self, *args):
        # What ran short is gone before a smaller one is tried.
        assert [stack() for stack in stacks] == [None] * len(stacks)
        if len(self.members) > 2:
            stacks.append(ref(next(iter(self.weights.trained.values()))))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        original(self, *args)

    monkeypatch.setattr(stacking.StackedTrainer, "run", short)
    outcomes = dict(train_nets(plans))
    assert sizes == [5, 2, 3, 2]
    assert sum(outcome.alone is None for outcome in outcomes.values()) == 4
    for place, plan in enumerate(plans):
        same_net(outcomes[place].trained(), train_alone(make_ready(plan)), 1e-10)


@pytest.mark.parametrize(
    ("owner", "name"), [(MultiTaskNet, "training_outputs"), (stacking.StackedTrainer, "put_gradients")]
)
def test_halves_where_memory_is_short_for_a_trial(data, monkeypatch, sizes, owner, name):
    plans = [plan for seed in range(4) for plan in plans_of(data, max_epochs=2, random_state=seed)]
    original = getattr(owner, name)

    def short(self, *args):
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, *args)

    monkeypatch.setattr(owner, name, short)
    outcomes = dict(train_nets(plans))
    assert sizes == [4, 2, 2]
    assert {outcome.alone for outcome in outcomes.values()} == {None}


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


def test_other_errors_are_raised(data, monkeypatch):
    def broken(self, *args):
        raise RuntimeError("a bug")

    monkeypatch.setattr(stacking.StackedTrainer, "run", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        list(train_nets([plan for seed in (0, 1) for plan in plans_of(data, random_state=seed)]))


def test_progress_is_told(data):
    told = []
    plans = [plan for epochs in (1, 3) for plan in plans_of(data, max_epochs=epochs)]
    list(train_nets(plans, watch=lambda *state: told.append(state)))
    assert told == [(0, 2, 1), (1, 2, 2), (1, 2, 3)]


def test_generators_and_threads_are_left_alone(data):
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    list(train_nets([plan for seed in (0, 1) for plan in plans_of(data, random_state=seed, max_epochs=1)]))
    assert torch.equal(before, torch.get_rng_state())
    assert threads == torch.get_num_threads()


def test_half_precision_products(data):
    trunk = MLP((16, 16), dropout=0.1)
    plans = [plan for i in range(4) for plan in plans_of(data, trunk=trunk, precision="bf16", random_state=i)]
    outcomes = dict(train_nets(plans))
    assert {outcome.alone for outcome in outcomes.values()} == {None}
    for place, plan in enumerate(plans):
        alone = train_alone(make_ready(plan))
        mine, theirs = outcomes[place].trained().history, alone.history
        assert mine[-1, "train_loss"] == pytest.approx(theirs[-1, "train_loss"], rel=0.05)


@pytest.mark.parametrize("early_stopping", [True, False])
def test_nets_in_no_stack_can_be_trained_elsewhere(data, early_stopping):
    plans = [
        *plans_of(data, optimizer="sgd", early_stopping=early_stopping),
        *plans_of(data, trunk=TabM((8,), members=2), early_stopping=early_stopping),
        *plans_of(data, random_state=1, early_stopping=early_stopping),
        *plans_of(data, random_state=2, early_stopping=early_stopping),
    ]
    sent = []

    def run_jobs(jobs):
        sent.extend(pickle.dumps(job) for job in jobs)
        return [pickle.loads(pickle.dumps(pickle.loads(job)())) for job in sent]

    elsewhere, here = dict(train_nets(plans, run_jobs=run_jobs)), dict(train_nets(plans))
    assert len(sent) == 2
    assert elsewhere.keys() == here.keys() == set(range(4))
    for place, outcome in here.items():
        assert elsewhere[place].alone == outcome.alone
        same_net(elsewhere[place].net, outcome.net, 0)
    assert [here[place].alone is None for place in range(4)] == [False, False, True, True]
