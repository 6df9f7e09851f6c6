"""A stack of nets is those nets: the same weights, history and end, to rounding."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from sklearn_mtl.balancing import LossBalancer
from sklearn_mtl.tasks import Classification, Regression
from sklearn_mtl.training import train_nets
from sklearn_mtl.training.runs import make_ready, train_alone
from sklearn_mtl.training.stacking.trainer import Member
from sklearn_mtl.trunks import MLP, TabM
from tests.training.stacking.nets import plans_of, rows, stacked_as_alone

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


class Remembering(LossBalancer):
    """Learned weights, and the losses of the last epoch."""

    def start(self, n_tasks):
        self.spread = nn.Parameter(torch.zeros(n_tasks))
        self.register_buffer("last", torch.ones(n_tasks))

    def end_epoch(self, losses):
        self.last = losses.detach().clone().to(self.last)

    def forward(self, losses, weights):
        return (losses * weights / self.last * torch.exp(-self.spread) + self.spread).sum()


def test_a_learned_balancer_with_a_memory(data):
    plans = [plan for seed in (0, 1) for plan in plans_of(data, balancing=Remembering(), random_state=seed)]
    outcomes = stacked_as_alone(plans)
    balancers = [outcome.net.criterion_.balancer for outcome in outcomes.values()]
    assert not torch.equal(balancers[0].spread, torch.zeros(4))
    assert not torch.equal(balancers[0].last, balancers[1].last)


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


def test_what_a_net_remembers_is_its_own_after_ctrl_c_too(data, sizes, monkeypatch):
    plans = [plan for seed in (0, 1) for plan in plans_of(data, balancing=Following(), random_state=seed)]
    end_epoch = Member.end_epoch

    def interrupted(member):
        if len(member.net.history) == 2:
            raise KeyboardInterrupt
        return end_epoch(member)

    monkeypatch.setattr(Member, "end_epoch", interrupted)
    found = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(outcome.net for _, outcome in train_nets(plans))
    assert sizes == [2]
    buffers = [buffer for net in found for buffer in net.criterion_.balancer.buffers()]
    assert len(buffers) == 4
    assert all(buffer.untyped_storage().nbytes() == buffer.nbytes for buffer in buffers)


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


def test_half_precision_products(data):
    trunk = MLP((16, 16), dropout=0.1)
    plans = [plan for i in range(4) for plan in plans_of(data, trunk=trunk, precision="bf16", random_state=i)]
    outcomes = dict(train_nets(plans))
    assert {outcome.not_stacked_because for outcome in outcomes.values()} == {None}
    for place, plan in enumerate(plans):
        alone = train_alone(make_ready(plan))
        mine, theirs = outcomes[place].trained().history, alone.history
        assert mine[-1, "train_loss"] == pytest.approx(theirs[-1, "train_loss"], rel=0.05)
