"""Models beside each net of a bag, at shares that the held-out rows of all nets choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy

import torch
from torch import Tensor

from sklearn_mtl.data import Table
from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.inference.bag import TrainedNet
from sklearn_mtl.inference.beside import Kind, Parts, Path, in_double
from sklearn_mtl.inference.prediction import raw_outputs
from sklearn_mtl.network import ModelBeside, in_default_modes
from sklearn_mtl.tasks import TaskSet

SHARES = torch.arange(11, dtype=torch.float64) / 10
# The losses of all tasks together count as so many labels beside those of a task: chosen by its own fifteen
# held-out labels alone, penalty and share have cost a task R² of 0.04.
LABELS_OF_ALL = 200
# Losses that differ by less, in shares of the least, are equal: their last digits are another processor's.
ROUNDING = 1e-9
# Of a table with more numbers, models take too long to find.
MOST_NUMBERS = 10_000_000

# Losses and weights of all tasks, summed over rows: of shapes (n_choices, n_tasks) and (n_tasks,).
Sums = tuple[Tensor, Tensor]


def can_stand_beside(spec: FeatureSpec, n_rows: int) -> bool:
    """Whether rows are of a kind that other models take, a table of numbers, and not too many.

    Parameters
    ----------
    spec : FeatureSpec
        Blocks of the input and their shapes.
    n_rows : int
        Number of training rows.

    Examples
    --------
    >>> from sklearn_mtl.features import Block, FeatureSpec
    >>> from sklearn_mtl.inference import can_stand_beside
    >>> can_stand_beside(FeatureSpec((Block("table", (4,)),)), n_rows=300)
    True
    >>> can_stand_beside(FeatureSpec((Block("image", (3, 8, 8)),)), n_rows=300)
    False
    """
    return spec.is_table and n_rows * spec.single.shape[0] <= MOST_NUMBERS


@in_default_modes
def blend(nets: Sequence[TrainedNet], tasks: TaskSet, parts: Parts, kinds: Sequence[Kind]) -> None:
    """Put models beside each net, and let the held-out rows choose their shares in the raw outputs.

    The models are fitted to the net's own training rows. Which of each kind, and what its share is, is
    chosen for each task by the loss over the held-out rows of all nets, where each net and its models
    predict the rows that they have not seen. The first kind is blended with the network, the next with what
    that gives. Where no row is held out there is no blend, and none for tasks of weight 0 or without a
    held-out label. Nor is there one where the way of sharing joins outputs of heads: such an output is not
    what a model of the task predicts.

    Parameters
    ----------
    nets : sequence of TrainedNet
        The bag. What stands beside each network is set, whatever it was before.
    tasks : TaskSet
        The tasks.
    parts : sequence of tuple
        For each net its training rows, a table of one block, and the rows that it holds out or None.
    kinds : sequence of Kind
        The kinds of models, in the order in which they are blended.
    """
    held_out = [valid for _, valid in parts if valid is not None]
    found: list[dict[str, ModelBeside | None]] = [{} for _ in nets]
    if held_out:
        of_raw = torch.tensor(tasks.raw_task)
        judged = [
            _HeldOut(net, valid, of_raw)
            for net, (_, valid) in zip(nets, parts, strict=True)
            if valid is not None
        ]
        n_labels = _n_labels(held_out, tasks)
        usable = (n_labels > 0) & (nets[0].criterion_.weights.cpu() > 0)
        usable[of_raw[list(nets[0].evaluated.sharing.joined_outputs)]] = False
        for kind in kinds:
            takes_part = usable & kind.takes_part(tasks, parts)
            of_nets = _found(kind, tasks, parts, judged, n_labels, takes_part) if takes_part.any() else []
            for of_net, part in zip(found, of_nets, strict=False):
                of_net[kind.name] = part
    # All is found before anything is set: another thread may predict with these nets.
    for net, of_net in zip(nets, found, strict=True):
        module = net.evaluated
        module.put_beside({name: part.to(module.raw_scale).eval() for name, part in of_net.items() if part})


def _found(
    kind: Kind,
    tasks: TaskSet,
    parts: Parts,
    judged: Sequence[_HeldOut],
    n_labels: Tensor,
    takes_part: Tensor,
) -> list[ModelBeside]:
    """Return what is put beside each net; nothing where the shares of all tasks are 0."""
    of_raw = torch.tensor(tasks.raw_task)
    paths = [kind.path(tasks, train, valid, takes_part) for train, valid in parts]
    with_rows = [path for path, (_, valid) in zip(paths, parts, strict=True) if valid is not None]
    raws = [one.raw_of(path) for one, path in zip(judged, with_rows, strict=True)]

    def best(losses: Iterable[Sums]) -> tuple[Tensor, Tensor]:
        means = _mean_losses(losses).where(takes_part, torch.nan)
        return best_choice(means, n_labels), means

    choice, _ = best(one.of_models(raw) for one, raw in zip(judged, raws, strict=True))
    chosen = [_picked(raw, choice[of_raw], dim=2) for raw in raws]
    position, losses = best(one.of_blends(raw) for one, raw in zip(judged, chosen, strict=True))
    counted = with_those_of_all(losses, n_labels)
    is_worth = kind.is_worth(counted[0], counted.gather(0, position.unsqueeze(0))[0])
    share = SHARES[position].where(losses[0].isfinite() & is_worth, 0.0)
    for one, raw in zip(judged, chosen, strict=True):
        one.blend(raw, share)
    return [path.part(choice[of_raw], share[of_raw]) for path in paths] if share.any() else []


def best_choice(losses: Tensor, n_labels: Tensor) -> Tensor:
    """Return for each task which of some choices to take.

    Parameters
    ----------
    losses : tensor of shape (n_choices, n_tasks)
        Mean scale-free losses over the held-out labels; not finite for a task that takes no part.
    n_labels : tensor of shape (n_tasks,)
        Number of held-out labels of each task.

    Returns
    -------
    tensor of int, shape (n_tasks,)
        The choice of least loss, the first of those that are equal to rounding. The losses of a task count
        as many labels as it has, and the mean losses of all tasks ``LABELS_OF_ALL``.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.inference.blend import best_choice
    >>> losses = torch.tensor([[1.0, 0.5, 0.9], [0.7, 0.6, 0.8], [0.9, 0.9, 0.7]])
    >>> best_choice(losses, torch.tensor([0, 9000, 0]))
    tensor([1, 0, 1])
    """
    counted = with_those_of_all(losses, n_labels)
    least = counted.amin(0)
    return (counted <= least + ROUNDING * least.abs()).int().argmax(0)


def with_those_of_all(losses: Tensor, n_labels: Tensor) -> Tensor:
    """Return the losses of tasks, in each of which the mean loss of all counts some labels.

    Parameters
    ----------
    losses : tensor of shape (n_choices, n_tasks)
        Mean scale-free losses over the held-out labels; not finite for a task that takes no part.
    n_labels : tensor of shape (n_tasks,)
        Number of held-out labels of each task.
    """
    takes_part = losses.isfinite().all(0)
    of_all = losses[:, takes_part].mean(1, keepdim=True) if takes_part.any() else torch.zeros_like(losses)
    return (n_labels * losses.nan_to_num() + LABELS_OF_ALL * of_all) / (n_labels + LABELS_OF_ALL)


class _HeldOut:
    """The held-out rows of one net, as it and the models of its training rows predict them.

    Parameters
    ----------
    net : TrainedNet
        The net.
    table : Table
        The rows that the net holds out.
    of_raw : tensor of shape (raw_width,)
        Position of the task that each raw output belongs to.
    """

    def __init__(self, net: TrainedNet, table: Table, of_raw: Tensor) -> None:
        self._x, self._y, self._weight = in_double(table)
        raw = raw_outputs(net.evaluated, table.blocks, calibrated=False) * net.evaluated.raw_scale
        self._so_far = raw.cpu().double()
        self._losses = deepcopy(net.criterion_.losses).cpu().double()
        self._of_raw = of_raw

    def raw_of(self, path: Path) -> Tensor:
        """Return the raw outputs of the models of a kind, shape (n_models, rows, raw_width)."""
        return path.raw(self._x)

    def of_models(self, raw: Tensor) -> Sums:
        """Return the losses for each of some models alone."""
        return self._sums(raw.unsqueeze(2))

    def of_blends(self, raw: Tensor) -> Sums:
        """Return the losses for each share of one model, given its raw outputs."""
        return self._sums((1 - share) * self._so_far + (share * raw).unsqueeze(1) for share in SHARES)

    def blend(self, raw: Tensor, share: Tensor) -> None:
        """Blend what there is with a model, given its raw outputs and its share of each task."""
        of_raw = share[self._of_raw]
        self._so_far = (1 - of_raw) * self._so_far + (of_raw * raw).unsqueeze(1)

    def _sums(self, raws: Iterable[Tensor]) -> Sums:
        sums = [
            self._losses.response_sums(self._losses.responses(raw), self._y, self._weight) for raw in raws
        ]
        return torch.stack([total for total, _ in sums]), sums[0][1]


def _mean_losses(sums: Iterable[Sums]) -> Tensor:
    """Return the losses over the rows of all nets, shape (n_choices, n_tasks); nan without a label."""
    totals, masses = zip(*sums, strict=True)
    found: Tensor = sum(totals) / sum(masses)
    return found


def _n_labels(tables: Sequence[Table], tasks: TaskSet) -> Tensor:
    """Return the number of each task's labels among the rows of tables that share what is stored."""
    rows = [table.blocks.index for table in tables]
    every = [row for row in rows if row is not None]
    # Rows that all nets stop by, the user's own, are all that are stored.
    stored = tables[0].stored_weight
    known = (stored if len(every) < len(rows) else stored[torch.cat(every).unique()]) > 0
    of_tasks = torch.zeros(len(tasks), dtype=torch.int64)
    return of_tasks.index_add(0, torch.as_tensor(tasks.column_task), known.sum(0).cpu())


def _picked(stacked: Tensor, choice: Tensor, dim: int) -> Tensor:
    """Return, of tensors on a leading axis, for each entry of another axis that of the chosen one."""
    entries = stacked.movedim(dim, 1)[choice, torch.arange(len(choice))]
    return entries.movedim(0, dim - 1)
