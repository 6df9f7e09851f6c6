"""Probabilities that are products of others: of a condition, and of what is given it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.messages import shown
from sklearn_mtl.sharing.task_graph import depths
from sklearn_mtl.tasks import Task

# So many events without their condition may be mistakes in the labels.
LARGEST_SHARE = 0.05
FEWEST_ROWS = 5


def product_logit(condition: Tensor, given: Tensor) -> Tensor:
    """Return the log-odds of a product of two probabilities, given the log-odds of both.

    1 / (p q) - 1 = (1 + e^-a) (1 + e^-b) - 1 = e^-a + e^-b + e^-(a + b), whose logarithm is that of a sum of
    exponentials: it has all digits, and finite gradients, wherever a and b are finite. It is never above
    either of them, in rounding too.

    Parameters
    ----------
    condition, given : tensor
        Log-odds, of equal shapes.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.sharing.conditional import product_logit
    >>> product_logit(torch.logit(torch.tensor(0.5)), torch.logit(torch.tensor(0.4))).sigmoid()
    tensor(0.2000)
    >>> product_logit(torch.tensor([100.0, -100.0]), torch.tensor([100.0, -100.0]))
    tensor([  99.3069, -200.0000])
    """
    return -torch.logsumexp(torch.stack([-condition, -given, -condition - given]), 0)


class ConditionalProducts(nn.Module):
    """Turns log-odds given a condition into log-odds, with those of the condition.

    Parameters
    ----------
    conditions : mapping of str to str
        By task, the task that is its condition; without cycles.
    tasks : sequence of Task
        All tasks in the order of their columns; those that are named have one raw output each.
    """

    condition: Tensor
    level: Tensor

    def __init__(self, conditions: Mapping[str, str], tasks: Sequence[Task]) -> None:
        super().__init__()
        ends = list(accumulate(task.width for task in tasks))
        place = {task.name: end - 1 for task, end in zip(tasks, ends, strict=True)}
        level_of = depths("`conditional`", {task: (of,) for task, of in conditions.items()}, {})
        condition, level = list(range(ends[-1])), [0] * ends[-1]
        for task, of in conditions.items():
            condition[place[task]], level[place[task]] = place[of], level_of[task]
        self.n_levels = max(level_of.values(), default=0)
        self.outputs = tuple(sorted(place[task] for task in conditions))
        self.register_buffer("condition", torch.tensor(condition), persistent=False)
        self.register_buffer("level", torch.tensor(level), persistent=False)

    def forward(self, raw: Tensor) -> Tensor:
        """Return raw outputs, of which those of conditional tasks are log-odds given nothing.

        Parameters
        ----------
        raw : tensor of shape (..., raw outputs)
            Raw outputs, in which they are log-odds given the condition.
        """
        condition, level = self.condition.to(raw.device), self.level.to(raw.device)
        for number in range(1, self.n_levels + 1):
            raw = torch.where(level == number, product_logit(raw.index_select(-1, condition), raw), raw)
        return raw


def checked_conditions(given: Any, names: Sequence[str]) -> dict[str, str]:
    """Return by task its condition; a ``ValueError`` unless it is a mapping of known tasks, without a cycle.

    Parameters
    ----------
    given : object
        What the user set the parameter to.
    names : sequence of str
        All tasks.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(
            "`conditional` must be None or a mapping from a task to the task that is its condition, such as "
            f"{{'purchase': 'click'}}. Found {shown(given)}."
        )
    unknown = [name for pair in given.items() for name in pair if name not in names]
    if unknown:
        raise ValueError(
            f"`conditional` names unknown tasks {shown(unknown)}; the tasks are {shown([*names])}."
        )
    depths("`conditional`", {task: (of,) for task, of in given.items()}, {})
    return dict(given)


def conditions_between(given: Any, tasks: Sequence[Task]) -> dict[str, str]:
    """Return by task its condition, among the tasks of several classes.

    A task with one class in the training rows, as a rare event may have in a fold, has no odds: it stands
    alone, as one does that has no label there.

    Parameters
    ----------
    given : object
        What the user set the parameter to.
    tasks : sequence of Task
        All tasks.

    Raises
    ------
    ValueError
        Where `checked_conditions` raises one.
    """
    conditions = checked_conditions(given, [task.name for task in tasks])
    found: dict[str, str] = conditions_without(conditions, [task.name for task in tasks if task.only_class])
    return found


def conditions_without(given: Any, names: Iterable[str]) -> Any:
    """Return conditions without some of the tasks; what is no mapping as it is, to be refused so.

    In the place of a condition that is left out stands its own condition: what cannot be without a purchase
    cannot be without a click.

    Parameters
    ----------
    given : object
        What the user set the parameter to.
    names : iterable of str
        The tasks to leave out.

    Examples
    --------
    >>> from sklearn_mtl.sharing.conditional import conditions_without
    >>> conditions_without({"return": "purchase", "purchase": "click"}, ["purchase"])
    {'return': 'click'}
    """
    if not isinstance(given, Mapping):
        return given
    # A list, as what was given may not be hashable.
    left_out, found = [*names], {}
    for task, of in given.items():
        # As many steps as there are conditions reach every end; a cycle has none.
        for _ in given:
            of = given.get(of) if of in left_out else of
        if task not in left_out and of is not None and of not in left_out:
            found[task] = of
    return found


def events_without_condition(
    conditions: Mapping[str, str], tasks: Sequence[Task], labels: Mapping[str, Tensor]
) -> list[str]:
    """Return in words which events are without their condition in more rows than mistakes in labels explain.

    These are 5 % of the rows with the event, or of those without the condition if they are fewer: where all
    rows but a few have the event, as if it were the rare one that is meant, the few tell.

    Parameters
    ----------
    conditions : mapping of str to str
        By task, the task that is its condition.
    tasks : sequence of Task
        All tasks in the order of their columns; those that are named have two classes.
    labels : mapping of str to tensor of shape (n_rows, n_columns)
        Encoded targets ``"y"`` and cell weights ``"weight"``, 0 where a label is missing.
    """
    ends = list(accumulate(task.n_columns for task in tasks))
    place = {task.name: end - 1 for task, end in zip(tasks, ends, strict=True)}
    with_classes: list[Any] = [task for task in tasks if task.name in {*conditions, *conditions.values()}]
    event_of = {
        task.name: f"{shown(task.classes.tolist()[1])} of task {shown(task.name)}" for task in with_classes
    }
    found = []
    for task, of in conditions.items():
        columns = [place[task], place[of]]
        both = (labels["weight"][:, columns] > 0).all(1)
        event, condition = labels["y"][both][:, columns].T > 0.5
        n_without = int((event & ~condition).sum())
        n_expected = min(int(event.sum()), int((~condition).sum()))
        if n_without >= FEWEST_ROWS and n_without > LARGEST_SHARE * n_expected:
            found.append(f"{event_of[task]} without {event_of[of]} in {n_without:,} of {len(event):,} rows")
    return found


def labelled_with_condition_only(
    conditions: Mapping[str, str], tasks: Sequence[Task], labels: Mapping[str, Tensor]
) -> list[str]:
    """Return in words which tasks have no label in any row without their condition, if there are such rows.

    Parameters
    ----------
    conditions, tasks, labels
        As `events_without_condition` takes them.
    """
    ends = accumulate(task.n_columns for task in tasks)
    place = {task.name: end - 1 for task, end in zip(tasks, ends, strict=True)}
    found = []
    for task, of in conditions.items():
        y, weight = labels["y"][:, place[of]], labels["weight"][:, [place[task], place[of]]]
        is_without = (y <= 0.5) & (weight[:, 1] > 0)
        n_without = int(is_without.sum())
        if n_without >= FEWEST_ROWS and not (weight[is_without, 0] > 0).any():
            found.append(f"no label of task {shown(task)} in {n_without:,} rows without {shown(of)}")
    return found


def as_log_odds(task: Task) -> Task:
    """Return a task of a condition with log-odds as raw output; a ``ValueError`` where it can have none."""
    found = task.as_log_odds()
    if found is None:
        raise ValueError(
            "`conditional` must name classifications of two classes, with the loss 'cross_entropy' or "
            f"'focal'. Found task {shown(task.name)}, {task.kind} ({task.labels_in_words or 'numbers'}) with "
            f"{type(task.loss).__name__}."
        )
    return found
