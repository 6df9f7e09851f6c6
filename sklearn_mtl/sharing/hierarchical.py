"""A common trunk that branches into groups of tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from sklearn.base import clone
from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import TrunkModule
from sklearn_mtl.trunks.layers import stacked, stacked_entry

Path = tuple[Hashable, ...]


class Hierarchical(Sharing):
    """A common trunk, a branch for each group of tasks, and heads on top.

    The first stages of the trunk are common to all tasks, the others are there once for each group. Groups
    may hold groups: each level of nesting branches one stage later, and tasks share as many stages as they
    share groups. Such a tree is the fully adaptive sharing of Lu et al. (2017), with the groups given.

    Choose it where it is known which tasks belong together: unrelated groups then don't compete for the last
    layers, and related tasks still learn them together. It costs what a trunk for each group would, less the
    common stages, whatever the number of tasks.

    Parameters
    ----------
    groups : mapping of str to groups, or sequence of groups
        Each group is a sequence of names of tasks, or again a mapping or sequence of groups. Every task is in
        one group. Names of groups are for the reader. It has to be set before ``fit``; the default of None is
        refused there.
    common_stages : int or None, default=None
        Number of the trunk's first stages that all tasks share. None for all but one for each level of
        nesting; at least one is then common. With 0, outermost groups share nothing, the embedding of their
        inputs neither, and with a group for each task that is `SeparateTrunks`. The innermost groups have the
        stages that are left.

    References
    ----------
    .. [1] Lu, Kumar, Zhai, Cheng, Javidi & Feris (2017), "Fully-Adaptive Feature Sharing in Multi-Task
       Networks with Applications in Person Attribute Classification" (CVPR).

    Examples
    --------
    >>> from sklearn_mtl.datasets import make_multitask
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.sharing import Hierarchical
    >>> X, Y = make_multitask(n_regression=3, random_state=0)
    >>> sharing = Hierarchical({"size": ["regression0", "regression1"], "age": ["regression2"]})
    >>> quick = MultiTaskRegressor(sharing=sharing, trunk="mlp", n_bags=1, max_epochs=2, random_state=0)
    >>> list(quick.fit(X, Y).predict(X))
    ['regression0', 'regression1', 'regression2']
    """

    def __init__(self, groups: Any = None, common_stages: int | None = None) -> None:
        self.groups = groups
        self.common_stages = common_stages

    def without(self, names: Sequence[str]) -> Hierarchical:
        """Return a copy for the other tasks; a group that has none left is none."""
        copy: Hierarchical = clone(self).set_params(groups=_without(self.groups, names))
        return copy

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module.

        Raises
        ------
        ValueError
            If the groups are no groups, don't hold every task once, or are nested more deeply than the trunk
            has stages; or if the common stages leave none for each level of nesting.
        """
        tree = GroupTree.read(self.groups, [task.name for task in tasks])
        trunks = [make_trunk().in_own_stages() for _ in range(len(tree.levels[-1]))]
        n_common = self._n_common(len(tree.levels), len(trunks[0].stages))
        return HierarchicalModule(trunks, tree, n_common)

    def _n_common(self, n_levels: int, n_stages: int) -> int:
        most, given = n_stages - n_levels, self.common_stages
        least = 1 if given is None else 0
        if most < least:
            raise ValueError(
                f"`groups` of Hierarchical need a trunk with a stage for each level of nesting, {n_levels}"
                f"{', and one that is common to all tasks' if least else ''}. Found a trunk of {n_stages} "
                "stages."
            )
        if given is None:
            return most
        if not is_integer(given) or not 0 <= given <= most:
            raise ValueError(
                f"`common_stages` of Hierarchical must be None or an integer from 0 to {most}, as the trunk "
                f"has {n_stages} stages and groups are nested {n_levels} deep. Found {shown(given)}."
            )
        return int(given)


@dataclass(frozen=True)
class GroupTree:
    """Where tasks part.

    Parameters
    ----------
    paths : tuple of tuple
        The groups of each task, in the order of tasks, from the outermost; paths of equal length.
    order : tuple of tuple
        The distinct paths, in the order of the groups.
    """

    paths: tuple[Path, ...]
    order: tuple[Path, ...]

    @classmethod
    def read(cls, groups: Any, tasks: Sequence[str]) -> GroupTree:
        """Return the tree of the user's groups.

        Parameters
        ----------
        groups : mapping or sequence
            As `Hierarchical` takes them.
        tasks : sequence of str
            Names of the tasks.

        Raises
        ------
        ValueError
            If these are no groups, or not of these tasks.
        """
        named = list(_innermost(groups, ()))
        counts = Counter(task for _, members in named for task in members)
        for found, wrong in (
            ("unknown names", [name for name in counts if name not in tasks]),
            ("in several places", [name for name in counts if counts[name] > 1]),
            ("in no group", [name for name in tasks if name not in counts]),
        ):
            if wrong:
                raise ValueError(
                    "`groups` of Hierarchical must hold every task once; the tasks are "
                    f"{shown(list(tasks))}. Found {found}: {shown(wrong)}."
                )
        deepest = max(len(path) for path, _ in named)
        # A group that is nested less deeply than others has a branch to the end.
        full = {path: path + ("",) * (deepest - len(path)) for path, _ in named}
        of_task = {task: full[path] for path, members in named for task in members}
        return cls(tuple(of_task[task] for task in tasks), tuple(full.values()))

    @cached_property
    def levels(self) -> list[list[Path]]:
        """The branches of each level of nesting, from the outermost."""
        return [
            list(dict.fromkeys(path[: depth + 1] for path in self.order))
            for depth in range(len(self.order[0]))
        ]

    def parents(self, level: int) -> list[int]:
        """Return the branch of the level before from which each branch of a level comes."""
        before = self.levels[level - 1]
        return [before.index(path[:-1]) for path in self.levels[level]]

    def shares(self, level: int) -> bool:
        """Whether a branch of a level is one of several tasks."""
        return len(self.levels[level]) < len(self.paths)


def _innermost(groups: Any, path: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    """Yield the groups that hold tasks, with the keys or places that lead there."""
    inner: dict[Any, Any] | None = None
    if isinstance(groups, Mapping):
        inner = dict(groups)
    elif isinstance(groups, Sequence) and not isinstance(groups, str):
        if path and groups and all(isinstance(name, str) for name in groups):
            yield path, groups
            return
        inner = dict(enumerate(groups))
    if not inner:
        where = f" in {shown(path[-1])}" if path else ""
        raise ValueError(
            "`groups` of Hierarchical must be a mapping or a sequence of groups, each a sequence of names of "
            f"tasks or again of groups. Found {shown(groups)}{where}."
        )
    for key, value in inner.items():
        yield from _innermost(value, (*path, key))


def _without(groups: Any, names: Sequence[str]) -> Any:
    """Return groups without some tasks; what are no groups as it is, to be refused as it was given."""
    if isinstance(groups, Mapping):
        by_key = {key: _without(value, names) for key, value in groups.items()}
        return {key: value for key, value in by_key.items() if value or not groups[key]}
    if not isinstance(groups, Sequence) or isinstance(groups, str):
        return groups
    if groups and all(isinstance(name, str) for name in groups):
        return [name for name in groups if name not in names]
    kept = [_without(value, names) for value in groups]
    return [value for value, given in zip(kept, groups, strict=True) if value or not given]


class HierarchicalModule(SharingModule):
    """A common trunk, and branches side by side at each level of nesting.

    Parameters
    ----------
    trunks : sequence of TrunkModule
        As many as there are innermost groups; the common stages are those of the first.
    tree : GroupTree
        Where tasks part.
    n_common : int
        Number of stages that are common to all tasks.
    """

    def __init__(self, trunks: Sequence[TrunkModule], tree: GroupTree, n_common: int) -> None:
        trunk, levels = trunks[0], tree.levels
        super().__init__(trunk.width, trunk.members, per_task=True)
        self.n_outermost = len(levels[0])
        self.shared_levels = [tree.shares(level) for level in range(len(levels))]
        self.entry = (
            trunk.entry if n_common else stacked_entry([each.entry for each in trunks[: self.n_outermost]])
        )
        self.common = nn.ModuleList(trunk.stages[:n_common])
        # Stage after stage branches once more, and after the last level all stages are as many.
        ends = [*range(n_common + 1, n_common + len(levels)), len(trunk.stages)]
        starts = [n_common, *ends[:-1]]
        self.branches = nn.ModuleList(
            nn.Sequential(
                *(
                    stacked([each.stages[stage] for each in trunks[: len(level)]])
                    for stage in range(start, end)
                )
            )
            for level, start, end in zip(levels, starts, ends, strict=True)
        )
        for level in range(1, len(levels)):
            self.register_buffer(f"parents_{level}", torch.tensor(tree.parents(level)), persistent=False)
        branch_of_task = torch.tensor([levels[-1].index(path) for path in tree.paths])
        self.register_buffer("branch_of_task", branch_of_task, persistent=False)

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return the representation of each task, shape (rows, members, tasks, width)."""
        hidden: Tensor = self.entry(inputs)
        for stage in self.common:
            hidden = stage(hidden)
        if self.common:
            hidden = hidden.unsqueeze(2).expand(-1, -1, self.n_outermost, -1)
        for level, branches in enumerate(self.branches):
            if level > 0:
                hidden = hidden.index_select(2, self.get_buffer(f"parents_{level}"))
            hidden = branches(hidden)
        return hidden.index_select(2, self.get_buffer("branch_of_task"))

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the parameters of what is common, and of levels where a branch has several tasks."""
        if self.common or self.shared_levels[0]:
            yield from self.entry.parameters()
        yield from self.common.parameters()
        for branches, shared in zip(self.branches, self.shared_levels, strict=True):
            if shared:
                yield from branches.parameters()
