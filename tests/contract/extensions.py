"""One of each that a user can add, written outside of the package: a file each would be as good."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from sklearn_mtl.balancing import GradientBalancer, LossBalancer
from sklearn_mtl.sharing import Sharing, SharingModule
from sklearn_mtl.tasks import ClassLoss, PointLoss, Task, TaskKind, check_labelled, strata_of_classes
from sklearn_mtl.tasks.losses import CrossEntropy
from sklearn_mtl.trunks import Trunk, TrunkModule


class Squashed(Trunk):
    """A trunk: one layer of standardised columns, squashed by an arc tangent."""

    def __init__(self, width=6, steepness=1.0):
        self.width = width
        self.steepness = steepness

    def fit_statistics(self, spec, sample):
        table = sample[spec.single.name]
        return {"mean": table.mean(0), "scale": table.std(0) + 1e-6}

    def build(self, spec, statistics):
        entry = SquashedEntry(spec.single.name, statistics, self.width, self.steepness)
        return TrunkModule(entry, [], [self.width])


class SquashedEntry(nn.Module):
    def __init__(self, name, statistics, width, steepness):
        super().__init__()
        self.name = name
        self.steepness = steepness
        self.register_buffer("mean", statistics["mean"])
        self.register_buffer("scale", statistics["scale"])
        self.linear = nn.Linear(len(self.mean), width)

    def forward(self, inputs):
        columns = (inputs[self.name] - self.mean) / self.scale
        return torch.atan(self.steepness * self.linear(columns)).unsqueeze(1)


class Gated(Sharing):
    """A way of sharing: trunks for all tasks, mixed for each by a gate that reads the input."""

    def __init__(self, n_trunks=2, sharpness=1.0):
        self.n_trunks = n_trunks
        self.sharpness = sharpness

    def build(self, make_trunk, tasks, spec):
        trunks = [make_trunk() for _ in range(self.n_trunks)]
        return GatedModule(trunks, len(tasks), spec.single, self.sharpness)


class GatedModule(SharingModule):
    def __init__(self, trunks, n_tasks, block, sharpness):
        super().__init__(trunks[0].width, trunks[0].members, per_task=True)
        self.trunks = nn.ModuleList(trunks)
        self.gates = nn.Linear(block.shape[0], n_tasks * len(trunks))
        self.name = block.name
        self.sharpness = sharpness

    def forward(self, inputs, heads):
        outputs = torch.stack([trunk(inputs) for trunk in self.trunks], dim=-2)
        gates = self.gates(inputs[self.name]).unflatten(-1, (-1, len(self.trunks)))
        return torch.einsum("rte,rmew->rmtw", (self.sharpness * gates).softmax(-1), outputs)

    def shared_parameters(self):
        return self.parameters()


class Paced(LossBalancer):
    """A balancer: learned scales at a rate of their own, on top of weights by how each loss fell last."""

    def __init__(self, rate=0.05, temperature=1.0):
        super().__init__()
        self.rate = rate
        self.temperature = temperature

    def start(self, n_tasks):
        self.scale = nn.Parameter(torch.zeros(n_tasks))
        self.register_buffer("last", torch.ones(n_tasks))
        self.register_buffer("pace", torch.ones(n_tasks))

    def param_groups(self):
        return [{"params": [self.scale], "lr": self.rate, "weight_decay": 0.0}]

    def end_epoch(self, losses):
        # A task without a label in the epoch keeps its last loss.
        losses = torch.where(losses.isnan(), self.last, losses.to(self.last))
        self.pace.copy_(losses / self.last.clamp_min(1e-6))
        self.last = losses.clone()

    def effective_weights(self, losses, weights):
        return weights * len(weights) * (self.pace / self.temperature).softmax(0) * self.scale.exp()

    def forward(self, losses, weights):
        return losses @ self.effective_weights(losses, weights) - self.scale.sum()


class Fallen(LossBalancer):
    """A balancer: each loss counts more the less it fell in the last steps, as in FAMO (Liu et al. 2023)."""

    def __init__(self, rate=0.5):
        super().__init__()
        self.rate = rate

    def start(self, n_tasks):
        self.register_buffer("logits", torch.zeros(n_tasks))
        self.register_buffer("before", torch.ones(n_tasks))

    def forward(self, losses, weights):
        self.before = losses.detach().clone()
        return losses @ self.effective_weights(losses, weights)

    def after_step(self, losses):
        self.logits = self.logits - self.rate * (self.before - losses())

    def effective_weights(self, losses, weights):
        return weights * len(weights) * self.logits.softmax(0)


class EvenGradients(GradientBalancer):
    """A balancer: the gradients of the tasks, divided by a power of its length, are added."""

    def __init__(self, power=1.0):
        super().__init__()
        self.power = power

    def forward(self, gradients, losses, weights):
        length = gradients.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return weights @ (gradients / length**self.power)


@dataclass(frozen=True, eq=False)
class ColourTask(Task):
    """One of several colours, scored by balanced accuracy."""

    classes: np.ndarray

    kind: ClassVar[str] = "colour"

    def encode(self, column):
        codes = np.full(len(column), np.nan)
        for code, colour in enumerate(self.classes):
            codes[~column.missing & (column.values == colour)] = code
        return codes[:, None]

    def decode(self, decision):
        return self.classes[decision[:, 0].astype(int)]

    def predict_proba(self, response):
        return response[:, 0]

    def score(self, column, response, weight):
        right, y = self.predict(response) == column.values, column.values
        return float(np.mean([right[y == colour].mean() for colour in np.unique(y)]))


class Colour(TaskKind):
    """A kind: a classification whose probabilities are smoothed."""

    kind: ClassVar[str] = "colour"
    estimator_type: ClassVar[str] = "classifier"
    strata = staticmethod(strata_of_classes)

    def __init__(self, smoothing=0.0):
        self.smoothing = smoothing

    def bind(self, column, weight, classes=None):
        check_labelled(column, weight)
        found = np.unique(column.values[~column.missing])
        loss = CrossEntropy(self.smoothing, n_classes=len(found))
        return ColourTask(column.name, loss, 1, False, column.dtype, found)


@dataclass(frozen=True)
class Expectile(PointLoss):
    """A loss of numbers: the squared error, dearer on one side (Newey & Powell 1987)."""

    level: float = 0.5

    def __call__(self, raw, y):
        error = y - raw[..., 0]
        return torch.where(error > 0, self.level, 1 - self.level) * error**2


@dataclass(frozen=True)
class Poly(ClassLoss):
    """A loss of classes: the cross-entropy plus a multiple of 1 - p (Leng et al. 2022)."""

    epsilon: float = 1.0

    def __call__(self, raw, y):
        log_p = raw.log_softmax(-1).gather(-1, y.long().expand(raw.shape[:-1]).unsqueeze(-1))[..., 0]
        return -log_p + self.epsilon * (1 - log_p.exp())


def share_found(y_true, y_pred):
    """A metric: the least share of a class that is found."""
    return float(min((y_pred[y_true == one] == one).mean() for one in np.unique(y_true)))


def share_below(y_true, y_pred):
    """A metric: the share of labels below their prediction."""
    return float((y_true < y_pred).mean())


CLASSES: dict[str, Any] = {
    of.__name__: of
    for of in (Squashed, Gated, Paced, Fallen, EvenGradients, ColourTask, Colour, Expectile, Poly)
}
