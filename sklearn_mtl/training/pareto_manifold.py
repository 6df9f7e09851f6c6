"""The training of networks whose weights are the points of a simplex, and the ordinary net at any of them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.data import Batch, Table
from sklearn_mtl.messages import shown
from sklearn_mtl.network import ParetoManifold, in_default_modes
from sklearn_mtl.tasks import TaskLosses
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.runs import NetPlan, make_net
from sklearn_mtl.training.steps import Step, training_step, validation_step


class ManifoldNet(MultiTaskNet):
    """A net whose module is a `ParetoManifold`.

    At each step a preference is drawn. The point of the manifold there is what the step is made with, and the
    user's task weights are multiplied by the preference times the number of tasks: by 1 on average, so that a
    learning rate means what it means for fixed weights.
    """

    def open_training(self, train: Table, valid: Table | None) -> None:
        """Begin a training as any net does."""
        super().open_training(train, valid)
        weights = self.criterion_.weights
        self._weights = torch.diag(weights)[weights > 0] * int((weights > 0).sum())

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Make one step of the optimizer at a preference of its own."""
        self.network.draw_preference()
        return super().train_step(batch, **fit_params)

    def put_gradients(self, batch: Batch, raw: Tensor, penalty: Tensor | None, look: Any = None) -> Step:
        """Put gradients on the corners, given the raw outputs and the penalty of one batch at a point."""
        criterion, weights = self.criterion_, self.network.preference @ self._weights
        at_point = _LossAtPoint(criterion.losses, criterion.balancer, weights)
        step = training_step(at_point, batch, raw, penalty, self.run_.shared, look)
        self.network.pull_back()
        return step

    @torch.no_grad()
    def validation_step(self, batch: Batch, **fit_params: Any) -> Step:
        """Return the losses of one held-out batch, their mean over the watched points, and the responses."""
        module, steps = self.evaluated.eval(), []
        for preference in module.watched:
            module.move_to(preference)
            steps.append(validation_step(self.criterion_.losses, module.point(batch.inputs), batch))
        loss = torch.stack([step["task_loss"] for step in steps]).mean(0)
        # The first is the centre.
        return {**steps[0], "task_loss": loss}


class _LossAtPoint(NamedTuple):
    """The loss of a step, as `training_step` takes it."""

    losses: TaskLosses
    balancer: Balancer
    weights: Tensor


@dataclass(frozen=True, eq=False)
class ManifoldPlan(NetPlan):
    """The plan of a net at all preferences: it has a corner for each task of positive weight."""

    net_class: ClassVar[type[MultiTaskNet]] = ManifoldNet
    alone_because: ClassVar[str | None] = "its weights are a manifold"

    @classmethod
    def of(cls, plan: NetPlan) -> ManifoldPlan:
        """Return the plan of the manifold of a net."""
        return cls(**{field.name: getattr(plan, field.name) for field in fields(plan)})

    @property
    def names(self) -> list[str]:
        """Names of the tasks of positive weight."""
        weights = zip(self.blueprint.tasks.names, self.blueprint.task_weights, strict=True)
        return [name for name, weight in weights if weight > 0]

    def build(self, statistics: Mapping[str, Tensor]) -> Any:
        """Return a new manifold, its weights drawn from torch's global generator."""
        return ParetoManifold(super().build(statistics), len(self.names))

    def calibrate(self, net: MultiTaskNet) -> None:
        """Leave the temperatures to the nets at the points."""

    def at(self, preference: Mapping[str, float]) -> NetPlan:
        """Return the plan of the ordinary net at a preference, whose task weights are multiplied by it.

        Parameters
        ----------
        preference : mapping of str to float
            How much each task counts, by name.
        """
        point = dict(zip(self.names, self.point(preference), strict=True))
        of_tasks = zip(self.blueprint.tasks.names, self.blueprint.task_weights, strict=True)
        weights = tuple(weight * point.get(name, 0.0) * len(point) for name, weight in of_tasks)
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return NetPlan(**{**own, "blueprint": replace(self.blueprint, task_weights=weights)})

    def point(self, preference: Mapping[str, float]) -> list[float]:
        """Return the point of the simplex that a preference stands for, a number for each corner.

        Raises
        ------
        ValueError
            If the preference is 0 for all tasks that there are.
        """
        found = [preference[name] for name in self.names]
        if not sum(found):
            raise ValueError(
                f"A preference must be positive for a task with labels, one of {shown(self.names)}. "
                f"Found {shown(dict(preference))}."
            )
        return [each / sum(found) for each in found]

    @in_default_modes
    def net_at(self, net: MultiTaskNet, preference: Mapping[str, float]) -> MultiTaskNet:
        """Return the ordinary net at a preference of a trained one, finished.

        Parameters
        ----------
        net : MultiTaskNet
            A net of this plan, trained.
        preference : mapping of str to float
            How much each task counts, by name.
        """
        plan = self.at(preference)
        module = net.network.at(net.network.corners.new_tensor(self.point(preference)))
        loss = deepcopy(net.criterion_)
        before = loss.weights.clone()
        loss.weights.copy_(torch.tensor(plan.blueprint.task_weights))
        found = make_net(plan.blueprint, module, loss, replace(plan.settings, callbacks=(), verbose=0))
        found.statistics_ = net.statistics_
        factor = (loss.weights / before.where(before > 0, 1.0)).cpu().numpy()
        epochs = [net.epoch_of(row) for row in net.history]
        found.restore(net.totals(), [{**epoch, "weight": epoch["weight"] * factor} for epoch in epochs])
        plan.calibrate(found)
        return found
