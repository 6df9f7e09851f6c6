"""Cascade: what the network predicts of a task feeds later tasks, or is the condition of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from sklearn.base import clone
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.sharing.association import best_ancestors, explained_shares
from sklearn_mtl.sharing.conditional import (
    ConditionalProducts,
    as_log_odds,
    conditions_between,
    conditions_without,
    events_without_condition,
    labelled_with_condition_only,
)
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.sharing.task_graph import Graph, depths, graph_of, without
from sklearn_mtl.tasks import RowLoss, Task
from sklearn_mtl.trunks import TrunkModule


class Cascade(Sharing):
    """One trunk, beside whose representation later tasks read what is predicted of earlier ones.

    The head of a task reads the representation of the trunk, and with it the predictions of the tasks before
    it: the probabilities of a task of classes or labels, the standardised raw output of a regression, and of
    another kind what its loss feeds (`RowLoss.fed`). These are predictions of the network itself, in training
    too, and never labels, so that missing labels of an earlier task do not matter. In this it is a chain of
    classifiers (Read et al. 2011, "Classifier chains for multi-label classification") within one network.

    Choose it where a task depends on another one, and this one has more labels or is easier to learn. How
    later tasks depend on what they read is for their heads to learn: linearly, or through the layers of
    ``head_hidden_sizes``. It costs a pass through the heads for each level of the order: a list of n tasks
    has n levels, and a mapping in which all read the same few has two. ``transform`` gives what is fed beside
    the representation.

    With ``conditional``, one task is the condition of another, as a click is of a purchase. The head of
    the purchase then gives P(purchase | click), and the network P(purchase) = P(click) P(purchase | click),
    whose loss is minimised over all rows beside that of the click, and not over those with a click alone: the
    entire-space model (Ma et al. 2018, "Entire space multi-task model", eq. 3). Choose it where the second
    event cannot be without the first, and is rare. It costs nothing.

    Parameters
    ----------
    order : None, sequence of str or mapping of str to str or sequence of str, default=None
        Names of tasks, each of which feeds all that follow it, or a mapping from a task to those that it
        reads. Other tasks read nothing. With None, an order is found by the labels of the training rows of
        each network, before its training: every task reads the one that explains most of the variance of its
        encoded labels, and what that one reads, where this is 5 % or more. An explanation counts
        the more, the larger the explaining task's share of the labels of both. With None and ``conditional``,
        no task is fed. An empty order feeds none either, nor does an empty ``conditional``.
    detach : bool, default=False
        Whether gradients stop at what is fed, so that the losses of later tasks do not train the heads of
        earlier ones, nor the trunk through them. They train the trunk by its representation in any case.
    conditional : None or mapping of str to str, default=None
        From a task to the task that is its condition. Both must be classifications of two classes; an event
        is the second class, ``classes_[name][1]``. A condition may have a condition itself. A task with one
        class in the training rows, such as a rare event in a fold without it, stands alone; what has it as
        its condition has the condition before it, if there is one. A warning tells of many rows that have
        the event without its condition.

    Raises
    ------
    ValueError
        In ``fit``, before training, if an order has a cycle or names unknown tasks, or a condition is not a
        classification of two classes.

    Notes
    -----
    Of a conditional task, ``predict_proba`` of one network is the product to rounding. Temperatures and class
    weights do not change that: a temperature of the purchase is one of P(purchase | click), found by the
    log-loss of the product, and class weights are taken out of the factors. With ``calibrate=False`` they
    stay within the probabilities of every task, as they do without a condition. For members and networks
    of a bag the means of click and of purchase are taken over the products of each: P(purchase) is no more
    than P(click) in every row, and P(purchase | click) is their ratio. Linear models and
    trees beside small networks take no part in conditional tasks, only in those that have no condition.

    Examples
    --------
    >>> from sklearn_mtl import MultiTaskClassifier
    >>> from sklearn_mtl.datasets import make_multitask
    >>> from sklearn_mtl.sharing import Cascade
    >>> X, Y = make_multitask(n_samples=200, n_regression=0, n_binary=2, random_state=0)
    >>> Y = {"click": Y["binary0"], "purchase": Y["binary0"] & Y["binary1"]}
    >>> sharing = Cascade(conditional={"purchase": "click"})
    >>> est = MultiTaskClassifier(sharing=sharing, n_bags=1, max_epochs=5, random_state=0).fit(X, Y)
    >>> found = est.predict_proba(X)
    >>> bool((found["purchase"][:, 1] <= found["click"][:, 1]).all())
    True
    """

    def __init__(
        self, order: Any = None, *, detach: bool = False, conditional: Mapping[str, str] | None = None
    ) -> None:
        self.order = order
        self.detach = detach
        self.conditional = conditional

    def without(self, names: Sequence[str]) -> Cascade:
        """Return a copy for the other tasks; in the place of a condition that is left out stands its own."""
        order, conditional = without(self.order, names), conditions_without(self.conditional, names)
        copy: Cascade = clone(self).set_params(order=order, conditional=conditional)
        return copy

    def trained_as(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Return the tasks, those of conditions with log-odds in the data as their raw outputs."""
        self._plan(tasks)
        conditions = self.conditions(tasks)
        named = {*conditions, *conditions.values()}
        return [as_log_odds(task) if task.name in named else task for task in tasks]

    def conditions(self, tasks: Sequence[Task]) -> dict[str, str]:
        """Return by task its condition, among those of two classes."""
        return conditions_between(self.conditional, tasks)

    def label_warning(self, tasks: Sequence[Task], labels: Mapping[str, Tensor]) -> str:
        """Return a warning of events without their condition, or with labels only where it holds."""
        conditions = self.conditions(tasks)
        if not conditions:
            return ""
        words = []
        if without := events_without_condition(conditions, tasks, labels):
            words.append(
                "`conditional` says that an event can't be without its condition; the event of a task is its "
                f"second class. Found {'; '.join(without)} that have both labels. If other classes are the "
                "events, write labels as 0 and 1, as booleans, or by names of which that of the event sorts "
                "last."
            )
        if only_with := labelled_with_condition_only(conditions, tasks, labels):
            words.append(
                "`conditional` learns the probability of an event among all rows from the rows that have its "
                f"label. Found {'; '.join(only_with)}. Where the condition does not hold, the event did not "
                "happen: write 0, not a missing label, or its probability is that among rows with the "
                "condition."
            )
        return " ".join(words)

    def fit_statistics(self, tasks: Sequence[Task], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return which tasks read which, where the labels are to decide that."""
        if self.order is not None or self.conditional is not None:
            return {}
        shares = explained_shares(tasks, labels["y"], labels["weight"])
        return {"reads": best_ancestors(shares, _n_labels(tasks, labels["weight"]))}

    def with_statistics(self, tasks: Sequence[Task], statistics: Mapping[str, Tensor]) -> Cascade:
        """Return a copy with the order that was found."""
        if "reads" not in statistics:
            return self
        names = [task.name for task in tasks]
        reads = dict(zip(names, statistics["reads"].tolist(), strict=True))
        order = {
            task: [name for name, is_read in zip(names, row, strict=True) if is_read]
            for task, row in reads.items()
        }
        copy: Cascade = clone(self).set_params(order=order)
        return copy

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module."""
        reads, conditions, n_levels = self._plan(tasks)
        products = ConditionalProducts(conditions, tasks) if conditions else None
        return CascadeModule(make_trunk(), tasks, reads, n_levels - 1, products, detach=self.detach)

    def _plan(self, tasks: Sequence[Task]) -> tuple[Graph, dict[str, str], int]:
        """Return what each task reads, the conditions, and the number of levels."""
        if not isinstance(self.detach, bool):
            raise ValueError(f"`detach` of Cascade must be True or False. Found {self.detach!r}.")
        names = [task.name for task in tasks]
        conditions = self.conditions(tasks)
        reads = {} if self.order is None else graph_of("order", self.order, names)
        first = {task: (of,) for task, of in conditions.items()}
        levels = depths("`order` and `conditional`" if first else "`order`", reads, first)
        return reads, conditions, 1 + max(levels.values(), default=0)


class CascadeModule(SharingModule):
    """One trunk, and columns beside its representation for what tasks read.

    All tasks of a level are computed at once, by all heads: after as many passes as there are levels, every
    task has read what it is to read. Of the columns of all that is read by some task, the head of each
    multiplies those that it does not read by 0, and the n that it reads by the root of width / n, so that
    they count as much as the representation.

    Parameters
    ----------
    trunk : TrunkModule
        The trunk.
    tasks : sequence of Task
        In the order of their columns.
    reads : dict of str to tuple of str
        By task, the tasks that it reads.
    n_passes : int
        Passes through the heads before the last.
    products : ConditionalProducts or None
        Makes probabilities of conditional ones.
    detach : bool
        Whether gradients stop at what is fed.
    """

    def __init__(
        self,
        trunk: TrunkModule,
        tasks: Sequence[Task],
        reads: Graph,
        n_passes: int,
        products: ConditionalProducts | None,
        *,
        detach: bool,
    ) -> None:
        read = {name for of_task in reads.values() for name in of_task}
        fed_by = [task.name for task in tasks if task.name in read for _ in range(task.width)]
        super().__init__(trunk.width + len(fed_by), trunk.members, per_task=False)
        self.trunk = trunk
        self.is_read = [[name in reads.get(task.name, ()) for name in fed_by] for task in tasks]
        self.feeding = list(_feeding(tasks, read))
        self.n_passes = n_passes
        self.detach = detach
        self.products = products

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the trunk's representation, and beside it what tasks are fed, (rows, members, width)."""
        representation: Tensor = self.trunk(inputs)
        if not self.feeding:
            return representation
        nothing = representation.new_zeros(*representation.shape[:2], len(self.is_read[0]))
        found = torch.cat([representation, nothing], dim=-1)
        for _ in range(self.n_passes):
            found = torch.cat([representation, self._fed(self.joined(heads(found)))], dim=-1)
        return found

    @property
    def column_scale(self) -> Tensor | None:
        """What each head multiplies the columns by: 1 for those of the trunk; None where nothing is fed."""
        if not self.feeding:
            return None
        is_read = torch.tensor(self.is_read)
        # Few columns beside many: a step of Adam moves an output by each of its inputs about as much.
        scale = (self.trunk.width / is_read.sum(1, keepdim=True).clamp_min(1)) ** 0.5
        return torch.cat([torch.ones(len(is_read), self.trunk.width), is_read * scale], dim=1)

    @property
    def joined_outputs(self) -> Sequence[int]:
        """Positions of the raw outputs of conditional tasks."""
        return () if self.products is None else self.products.outputs

    def joined(self, raw: Tensor) -> Tensor:
        """Return raw outputs with the log-odds of products in the place of conditional ones."""
        return raw if self.products is None else self.products(raw)

    @property
    def shared_trunk(self) -> TrunkModule | None:
        """The trunk."""
        return self.trunk

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the trunk's parameters."""
        return self.trunk.parameters()

    def _fed(self, raw: Tensor) -> Tensor:
        raw = raw.detach() if self.detach else raw
        parts = [
            loss.fed(raw[..., outputs].unflatten(-1, (-1, loss.width))).flatten(-2)
            for loss, outputs in self.feeding
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _feeding(tasks: Sequence[Task], read: set[str]) -> Iterator[tuple[RowLoss, slice]]:
    """Yield the losses of tasks that are read, and their raw outputs, neighbours of one loss as one."""
    start = 0
    for (loss, is_read), alike in groupby(tasks, lambda task: (task.loss, task.name in read)):
        stop = start + sum(task.width for task in alike)
        if is_read:
            yield loss, slice(start, stop)
        start = stop


def _n_labels(tasks: Sequence[Task], weight: Tensor) -> Tensor:
    """Return the number of labels of each task, a mean over its columns."""
    of_columns = (weight > 0).sum(0).split([task.n_columns for task in tasks])
    return torch.stack([of_task.double().mean() for of_task in of_columns])
