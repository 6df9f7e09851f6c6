"""Laws of every loss of a cell."""

import copy
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, d2_absolute_error_score, r2_score

from sklearn_mtl.tasks import ClassLoss, LogLinkLoss, PointLoss
from sklearn_mtl.tasks.losses.classification import (
    BinaryCrossEntropy,
    CodeLoss,
    CrossEntropy,
    ShiftedBinaryCrossEntropy,
)
from sklearn_mtl.tasks.losses.gaussian_nll import GaussianNLL
from sklearn_mtl.tasks.losses.ordinal import CumulativeLink
from sklearn_mtl.tasks.losses.regression import (
    AbsoluteError,
    GammaDeviance,
    Huber,
    Pinball,
    PoissonDeviance,
    SquaredError,
)
from sklearn_mtl.tasks.losses.row_loss import check_loss, summed, weighted_mean, weighted_quantile
from sklearn_mtl.tasks.losses.survival import DiscreteHazards


@dataclass(frozen=True)
class LinEx(PointLoss):
    """exp(a e) - a e - 1 of the error e: dearer on one side (Varian 1975)."""

    a: float = 1.0

    def __call__(self, raw, y):
        # Straight from an exponent of 5 on, or it overflows.
        scaled = self.a * (raw[..., 0] - y)
        bent = scaled.clamp_max(5)
        return bent.exp() * (1 + scaled - bent) - scaled - 1


@dataclass(frozen=True)
class Cauchy(PointLoss):
    """log(1 + e²): neither convex nor bounded."""

    def __call__(self, raw, y):
        return torch.log1p((raw[..., 0] - y) ** 2)


@dataclass(frozen=True)
class Tweedie(LogLinkLoss):
    """Half the Tweedie deviance of power 1.5, for labels that are 0 or positive."""

    def __call__(self, raw, y):
        root = (raw[..., 0] / 2).exp()
        return 2 * (y.clamp_min(0).sqrt() - root) ** 2 / root


@dataclass(frozen=True)
class Poly(ClassLoss):
    """The cross-entropy plus a multiple of 1 - p (Leng et al. 2022)."""

    epsilon: float = 1.0

    def __call__(self, raw, y):
        log_p = raw.log_softmax(-1).gather(-1, y.long().expand(raw.shape[:-1]).unsqueeze(-1))[..., 0]
        return -log_p + self.epsilon * (1 - log_p.exp())


LOSSES = [
    SquaredError(),
    AbsoluteError(),
    Huber(1.0),
    Huber(0.1),
    PoissonDeviance(),
    GammaDeviance(),
    Pinball((0.05, 0.5, 0.95)),
    Pinball((0.3,)),
    GaussianNLL(),
    BinaryCrossEntropy(),
    BinaryCrossEntropy(label_smoothing=0.2),
    BinaryCrossEntropy(focusing=2.0),
    BinaryCrossEntropy(label_smoothing=0.1, focusing=1.0),
    ShiftedBinaryCrossEntropy(shift=1.5),
    ShiftedBinaryCrossEntropy(label_smoothing=0.1, focusing=1.0, shift=-2.0),
    CrossEntropy(n_classes=4),
    CrossEntropy(n_classes=4, label_smoothing=0.2),
    CrossEntropy(n_classes=4, focusing=2.0),
    CrossEntropy(n_classes=4, label_smoothing=0.1, focusing=1.0),
    CumulativeLink(n_classes=2),
    CumulativeLink(n_classes=4),
    DiscreteHazards(1),
    DiscreteHazards(4),
    LinEx(),
    LinEx(-0.5),
    Cauchy(),
    Tweedie(),
    Poly(n_classes=4),
    Poly(n_classes=2, epsilon=3.0),
]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def draw_labels(loss, shape, rng):
    """Labels that the loss is made for, from columns of unlike distributions."""
    column = np.arange(1, shape[-1] + 1)
    if isinstance(loss, BinaryCrossEntropy):
        values = rng.random(shape) < column / (2 * shape[-1] + 1)
    elif isinstance(loss, DiscreteHazards):
        values = np.minimum(rng.geometric(column / (shape[-1] + 3), shape) - 1, 2 * loss.n_intervals)
    elif isinstance(loss, CodeLoss):
        values = np.minimum(rng.geometric(column / (shape[-1] + 1), shape) - 1, loss.n_classes - 1)
    elif isinstance(loss, PoissonDeviance | Tweedie):
        values = rng.poisson(column, shape) / column
    elif isinstance(loss, GammaDeviance):
        values = rng.gamma(column, size=shape) / column
    else:
        values = rng.standard_t(4, shape) + column
    return torch.tensor(values, dtype=torch.float64)


def constant_loss(loss, raw, y, weight):
    """Weighted loss of each column where `raw` is predicted for all rows."""
    return (loss(raw.expand(len(y), -1, -1), y) * weight).sum(0) / weight.sum(0)


@every_loss
def test_constant_minimises_the_weighted_loss(loss):
    rng = np.random.default_rng(0)
    y = draw_labels(loss, (60, 3), rng)
    weight = torch.tensor(rng.choice([0.0, 0.5, 1.0, 3.0], y.shape))
    best = loss.constant(y, weight)
    assert best.shape == (3, loss.width)
    least = constant_loss(loss, best, y, weight)
    axes = np.vstack([np.eye(loss.width), rng.normal(size=(20, loss.width))])
    for direction in torch.tensor(np.vstack([axes, -axes])):
        for step in (1e-3, 1e-2, 0.1, 1.0):
            moved = constant_loss(loss, best + step * direction, y, weight)
            assert (moved >= least - 1e-9).all(), (direction, step)


@every_loss
def test_constant_takes_weight_two_for_a_row_twice(loss):
    rng = np.random.default_rng(1)
    y = draw_labels(loss, (31, 2), rng)
    times = torch.tensor(rng.integers(0, 3, len(y)))
    weighted = loss.constant(y, times.double()[:, None].expand_as(y))
    repeated = y.repeat_interleave(times, 0)
    torch.testing.assert_close(
        weighted, loss.constant(repeated, torch.ones_like(repeated)), rtol=1e-6, atol=1e-6
    )


@every_loss
def test_constant_of_a_column_without_weight_is_finite(loss):
    y = draw_labels(loss, (10, 2), np.random.default_rng(2))
    weight = torch.ones_like(y)
    weight[:, 1], y[:, 1] = 0, 0
    both = loss.constant(y, weight)
    assert both.isfinite().all()
    torch.testing.assert_close(both[:1], loss.constant(y[:, :1], weight[:, :1]), rtol=1e-6, atol=1e-6)


@every_loss
@pytest.mark.parametrize("extreme", [-30.0, 30.0])
def test_loss_and_gradient_are_finite_at_extreme_outputs(loss, extreme):
    rng = np.random.default_rng(3)
    # 0 is what stands in a cell without a label, whatever the labels may be.
    y = torch.cat([torch.zeros(1, 2), draw_labels(loss, (9, 2), rng).float()])
    for signs in (np.ones(loss.width), np.where(np.arange(loss.width) % 2, -1, 1)):
        raw = (extreme * torch.tensor(signs)).float().expand(10, 2, -1).clone().requires_grad_()
        cells = loss(raw, y)
        assert cells.isfinite().all()
        (cells / cells.detach().abs().clamp_min(1)).sum().backward()
        assert raw.grad.isfinite().all()
        assert loss.response(raw.detach()).isfinite().all()
        assert loss(loss.link(loss.response(raw.detach())), y).isfinite().all()


@every_loss
def test_slope_is_the_derivative_of_the_loss(loss):
    rng = np.random.default_rng(5)
    y = draw_labels(loss, (9, 1, 2), rng).double()
    raw = torch.tensor(rng.normal(size=(9, 3, 2, loss.width))).requires_grad_()
    cells = loss(raw, y)
    (expected,) = torch.autograd.grad(cells.sum(), raw)
    found, slope = loss.with_slope(raw.detach(), y)
    assert not found.requires_grad
    assert not slope.requires_grad
    torch.testing.assert_close(found, cells.detach())
    torch.testing.assert_close(slope, expected)


@every_loss
def test_cell_of_weight_zero_has_no_gradient(loss):
    raw = torch.tensor([-30.0, 0.0, 30.0]).repeat_interleave(2 * loss.width).view(3, 2, loss.width)
    raw.requires_grad_()
    weight = torch.tensor([[0.0, 1.0]] * 3)
    (loss(raw, torch.tensor([[0.0, 1.0]] * 3)) * weight).sum().backward()
    assert (raw.grad[:, 0] == 0).all()
    assert (raw.grad[:, 1] != 0).any()


@every_loss
def test_loss_at_the_link_of_the_response_is_the_loss(loss):
    rng = np.random.default_rng(4)
    y = draw_labels(loss, (30, 2), rng)
    # Quantiles that cross are put in order by the response.
    raw = torch.tensor(rng.normal(scale=3, size=(30, 2, loss.width))).sort(-1).values
    torch.testing.assert_close(loss(loss.link(loss.response(raw)), y), loss(raw, y), rtol=1e-8, atol=1e-8)


@every_loss
def test_members_are_told_apart(loss):
    rng = np.random.default_rng(5)
    y = draw_labels(loss, (7, 3), rng)
    raw = torch.tensor(rng.normal(size=(7, 4, 3, loss.width)))
    cells = loss(raw, y[:, None])
    assert cells.shape == (7, 4, 3)
    for member in range(4):
        torch.testing.assert_close(cells[:, member], loss(raw[:, member], y))


@every_loss
def test_score_is_scikit_learns(loss):
    rng = np.random.default_rng(6)
    y = draw_labels(loss, (50, 2), rng)
    response = loss.response(torch.tensor(rng.normal(size=(50, 2, loss.width))))
    weight = torch.tensor(rng.choice([0.0, 1.0, 2.5], (50, 2)))
    for column in range(2):
        rows = weight[:, column] > 0
        labels, found, s = y[rows, column], response[rows, column], weight[rows, column]
        if loss.metric == "log_likelihood":
            expected = -np.average(loss.log_loss(found[:, None], labels[:, None])[:, 0], weights=s)
        elif loss.metric == "d2":
            decided = loss.decision(found[:, None])[:, 0]
            expected = d2_absolute_error_score(labels, decided, sample_weight=s)
        elif loss.metric == "r2":
            expected = r2_score(labels, loss.decision(found[:, None])[:, 0], sample_weight=s)
        else:
            border = 1 / (1 + np.exp(getattr(loss, "shift", 0.0)))
            codes = found.argmax(-1) if loss.width > 1 else found[:, 0] > border
            expected = accuracy_score(labels.long(), codes.long(), sample_weight=s)
        assert float(loss.score(response, y, weight)[column]) == pytest.approx(expected)


@every_loss
def test_equal_parameters_make_equal_losses(loss):
    twin = replace(loss)
    assert twin is not loss
    assert twin == loss
    assert hash(twin) == hash(loss)
    assert sum(other == loss for other in LOSSES) == 1


class Plain(PointLoss):
    """A loss that is no dataclass."""

    def __init__(self, power):
        self.power = power

    def __call__(self, raw, y):
        return (raw[..., 0] - y).abs() ** self.power


def test_losses_that_are_no_dataclasses_are_told_apart_by_their_parameters():
    assert Plain(1.5) == Plain(1.5) != Plain(3.0)
    assert len({Plain(1.5), Plain(1.5), Plain(3.0)}) == 2
    assert repr(Plain(1.5)) == "Plain(power=1.5)"


@dataclass(frozen=True)
class Frozen(PointLoss):
    """A loss whose parameter may be of any type."""

    power: object

    def __call__(self, raw, y):
        return (raw[..., 0] - y).abs() ** 2


@dataclass
class Mutable(PointLoss):
    """A dataclass that is not frozen."""

    power: object

    def __call__(self, raw, y):
        return (raw[..., 0] - y).abs() ** 2


@dataclass(frozen=True, slots=True)
class Slotted(PointLoss):
    """A loss whose parameter is no variable of the instance."""

    power: object

    def __call__(self, raw, y):
        return (raw[..., 0] - y).abs() ** 2


@pytest.mark.parametrize("loss", [Plain, Frozen, Mutable, Slotted])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1.0, 2.0], [1.0, 3.0]),
        (np.array([1.0, 2.0]), np.array([1.0, 3.0])),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0])),
        ({"a": [1.0]}, {"a": [2.0]}),
        ((np.ones(2), 1), (np.ones(2), 2)),
        (1.5, 2.5),
    ],
    ids=["list", "array", "tensor", "dict", "tuple", "number"],
)
def test_parameters_may_be_of_any_type(loss, one, other):
    twin = copy.deepcopy(loss(one))
    assert twin == loss(one)
    assert twin != loss(other)
    assert {loss(one), twin, loss(other)} == {loss(one), loss(other)}
    assert len({loss(one), twin, loss(other)}) == 2


def test_a_loss_with_a_parameter_that_can_not_be_pickled_equals_itself():
    functions = [lambda e: e]
    assert Frozen(functions) == Frozen(functions)
    assert hash(Frozen(functions)) == hash(Frozen(functions))
    assert Frozen(functions) != Frozen([lambda e: e])


def test_a_loss_may_say_itself_what_equals_it():
    class Same(PointLoss):
        def __eq__(self, other):
            return isinstance(other, Same)

        def __hash__(self):
            return 1

        def __call__(self, raw, y):
            return (raw[..., 0] - y) ** 2

    class Child(Same):
        pass

    assert Same() == Child() == Same()
    assert hash(Child()) == 1


def test_weighted_mean_of_nothing_is_zero():
    values = torch.tensor([[1.0, 5.0], [4.0, 7.0]])
    weight = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    assert weighted_mean(values, weight).tolist() == [3.0, 0.0]


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_quantile_is_the_quantile_of_repeated_rows(ties):
    rng = np.random.default_rng(4)
    levels = (0.05, 0.25, 1 / 3, 0.5, 0.9)
    for n_rows in (1, 2, 9, 40):
        y = rng.normal(size=(n_rows, 3))
        if ties:
            y = y.round()
        times = rng.integers(0, 4, size=y.shape)
        times[0] = 1
        expected = [
            # The mean of both neighbours where the cumulated weight hits the level exactly.
            np.quantile(np.repeat(y[:, i], times[:, i]), levels, method="averaged_inverted_cdf")
            for i in range(3)
        ]
        for unit in (1.0, 0.1):
            found = weighted_quantile(torch.tensor(y), torch.tensor(times * unit), levels)
            np.testing.assert_allclose(found, expected)


def test_sums_of_weights_are_the_same_where_columns_share_them():
    weight = torch.rand(7, 1, dtype=torch.float64)
    torch.testing.assert_close(summed(weight.expand(7, 100)), summed(weight.expand(7, 100).clone()))


@pytest.mark.parametrize(
    ("loss", "has_temperature", "has_interval"),
    [
        (SquaredError(), False, False),
        (Pinball(), False, True),
        (Poly(n_classes=3), True, False),
        (LinEx(), False, False),
    ],
)
def test_what_a_loss_has_is_what_it_defines(loss, has_temperature, has_interval):
    assert loss.has_temperature is hasattr(loss, "log_loss") is has_temperature
    assert getattr(loss, "has_interval", False) is hasattr(loss, "interval") is has_interval


def test_a_loss_of_ones_own_may_go_without_a_temperature():
    @dataclass(frozen=True)
    class Untouched(Poly):
        has_temperature = False

    assert not Untouched(3).has_temperature


@dataclass(frozen=True)
class Broken(PointLoss):
    """Of one shape for all cells, or negative."""

    fault: str

    def __call__(self, raw, y):
        cell = (raw[..., 0] - y) ** 2
        return cell.sum() if self.fault == "shape" else cell - 9


@pytest.mark.parametrize(("fault", "message"), [("shape", r"gives the shape \(\)"), ("sign", "0 or more")])
def test_a_loss_that_can_not_be_trained_on_is_refused(fault, message):
    labels = np.arange(4.0)[:, None]
    check_loss("price", LinEx(), labels, np.ones((4, 1)))
    with pytest.raises(ValueError, match=rf"`loss` of task 'price' must .*{message}"):
        check_loss("price", Broken(fault), labels, np.ones((4, 1)))
