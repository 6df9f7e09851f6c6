"""The multi-task attention network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from torch import Tensor, nn

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer
from sklearn_mtl.sharing.last_layer import last_layer
from sklearn_mtl.sharing.sharing import Heads, Sharing, SharingModule
from sklearn_mtl.tasks import Task
from sklearn_mtl.trunks import TrunkModule
from sklearn_mtl.trunks.layers import Linear, stacked


class TaskAttention(Sharing):
    r"""One trunk, of whose features each task selects its own by soft attention masks (MTAN).

    The multi-task attention network of Liu, Johns & Davison (2019), for stages that are fully connected.
    After each stage of the trunk, a task multiplies the features p by a mask a between 0 and 1, which differs
    from row to row (eq. 1 and 2):

    .. math::

        \hat a_t = a_t \odot p, \qquad a_t = \sigma(h_t(\mathrm{ReLU}(g_t([p; f(\hat a'_t)]))))

    with :math:`\hat a'_t` what the task selected after the stage before; the first mask is made of p alone.
    The linear layers g and h are a task's own; f, a linear layer and a ReLU, is shared. What a task selects
    after the last stage is its representation.

    Choose it where tasks need the same features, but not all of them, and which ones differs from row to
    row. It costs more than other ways that have one trunk: for each task and stage of n units,
    ``3 * n * hidden_size`` weights, for the first stage ``2 * n * hidden_size``, and the shared f. With as
    many hidden units as the stage has, a task has more weights of its own than a trunk of its own would have.

    In the paper, a stage is a block of convolutions, masks are made of what the first of these gives, g and h
    are 1 × 1 convolutions, and all are normalized by batch. Here a stage is one whole: masks are made of the
    features that they are for. Nothing is normalized, since an average of the weights of several steps, which
    is what predicts, has no statistics of a batch. Members of a `TabM` have features of their own, of which
    the same layers make masks.

    Parameters
    ----------
    hidden_size : int or None, default=None
        Hidden units between g and h, for each task and stage; None for as many as the stage has, as in the
        paper.

    References
    ----------
    .. [1] Liu, Johns & Davison (2019), "End-To-End Multi-Task Learning with Attention" (CVPR).

    Examples
    --------
    >>> from sklearn_mtl import MultiTaskRegressor
    >>> from sklearn_mtl.sharing import TaskAttention
    >>> MultiTaskRegressor(sharing=TaskAttention(hidden_size=16)).get_params()["sharing__hidden_size"]
    16
    """

    def __init__(self, hidden_size: int | None = None) -> None:
        self.hidden_size = hidden_size

    def build(
        self, make_trunk: Callable[[], TrunkModule], tasks: Sequence[Task], spec: FeatureSpec
    ) -> SharingModule:
        """Return a new module.

        Raises
        ------
        ValueError
            If the hidden size is neither None nor a positive integer, or the trunk has no stages.
        """
        size = self.hidden_size
        if size is not None and (not is_integer(size) or not 1 <= size < 2**31):
            raise ValueError(
                "`hidden_size` of TaskAttention must be None or an integer of at least 1, below 2**31. "
                f"Found {shown(size)}."
            )
        trunk = make_trunk().in_stages()
        if not trunk.stages:
            raise ValueError(
                "`sharing` TaskAttention needs a trunk with at least one stage. Found one without."
            )
        return TaskAttentionModule(trunk, len(tasks), None if size is None else int(size))


class TaskAttentionModule(SharingModule):
    """A trunk, and what each task attends to after each stage.

    Parameters
    ----------
    trunk : TrunkModule
        The trunk that all tasks share.
    n_tasks : int
        Number of tasks.
    hidden_size : int or None
        Hidden units of what makes a mask; None for as many as the stage has.
    """

    def __init__(self, trunk: TrunkModule, n_tasks: int, hidden_size: int | None) -> None:
        super().__init__(trunk.width, trunk.members, per_task=True)
        self.trunk = trunk
        first, *further = trunk.widths[1:]
        self.masks = nn.ModuleList([AttentionMasks(n_tasks, first, hidden_size or first, selected=False)])
        for width in further:
            self.masks.append(AttentionMasks(n_tasks, width, hidden_size or width, selected=True))
        self.between = nn.ModuleList(
            nn.Sequential(Linear(before, width), nn.ReLU()) for before, width in pairwise(trunk.widths[1:])
        )

    def forward(self, inputs: Mapping[str, Tensor], heads: Heads) -> Tensor:
        """Return what each task selects of the last features, shape (rows, members, tasks, width)."""
        stage, *stages = self.trunk.stages
        masks, *further = self.masks
        features: Tensor = stage(self.trunk.entry(inputs))
        selected: Tensor = masks(features) * features.unsqueeze(2)
        for stage, between, masks in zip(stages, self.between, further, strict=True):
            features = stage(features)
            selected = masks(features, between(selected)) * features.unsqueeze(2)
        return selected

    def shared_parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the parameters of the trunk and of what lies between its stages' masks."""
        yield from self.trunk.parameters()
        yield from self.between.parameters()

    def last_shared_layer(self) -> Sequence[nn.Parameter]:
        """Return the parameters of the last layer of the trunk."""
        return last_layer(self.trunk, self.trunk.parameters())


class AttentionMasks(nn.Module):
    """The masks of all tasks after one stage.

    Parameters
    ----------
    n_tasks, width, hidden_size : int
        Number of tasks, of features, and of hidden units for each task.
    selected : bool
        Whether masks are also made of what each task has selected before.
    """

    def __init__(self, n_tasks: int, width: int, hidden_size: int, *, selected: bool) -> None:
        super().__init__()
        self.n_tasks = n_tasks
        # The two halves of g. All tasks read the same features, so that theirs is one product.
        self.of_features = _of_each_task(n_tasks, width, hidden_size)
        self.of_selected = _of_each_task(n_tasks, width, hidden_size) if selected else None
        self.to_mask = _of_each_task(n_tasks, hidden_size, width)

    def forward(self, features: Tensor, selected: Tensor | None = None) -> Tensor:
        """Return masks between 0 and 1, shape (rows, members, tasks, width).

        Parameters
        ----------
        features : tensor of shape (rows, members, width)
            What the stage gave.
        selected : tensor of shape (rows, members, tasks, width), optional
            What was made of each task's selection before this stage; none before the first.
        """
        hidden: Tensor = self.of_features(features.unsqueeze(2).expand(-1, -1, self.n_tasks, -1))
        if self.of_selected is not None:
            hidden = hidden + self.of_selected(selected)
        mask: Tensor = self.to_mask(hidden.relu()).sigmoid()
        return mask


def _of_each_task(n_tasks: int, n_in: int, n_out: int) -> nn.Module:
    return stacked([Linear(n_in, n_out) for _ in range(n_tasks)])
