"""What shapes a blueprint would build, found without the memory that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from sklearn_mtl.network.module import OF_SHARING, Blueprint
from sklearn_mtl.network.torch_state import in_default_modes


class TooMuchToBuild(ValueError):
    """The error for a blueprint that asks torch for more than it was said to need."""


class _Counted(TorchFunctionMode):
    """Counts the calls of torch's functions, and raises an error after too many."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the function."""
        self.left -= 1
        if self.left < 0:
            raise TooMuchToBuild("A blueprint must not describe more layers than there are weights for.")
        return func(*args, **(kwargs or {}))


@in_default_modes
def shapes_of(blueprint: Blueprint, statistics: Mapping[str, Any], most: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's weights and buffers, as its ``state_dict`` would have them.

    It is built on torch's meta device, where tensors have shapes and no numbers.

    Parameters
    ----------
    blueprint : Blueprint
        What the network would be built from.
    statistics : mapping of str to tensor or ndarray
        The result of `Blueprint.fit_statistics`. Of those of the trunk only shapes and dtypes are used; those
        of the way of sharing may decide how many layers there are.
    most : int
        Calls of torch's functions that building may take; a layer takes about twenty.

    Raises
    ------
    TooMuchToBuild
        If it takes more of them.
    Exception
        What a trunk raises of which some part can't be built on the meta device.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl.balancing import StaticWeights
    >>> from sklearn_mtl.features import Block, FeatureSpec
    >>> from sklearn_mtl.sharing import HardSharing
    >>> from sklearn_mtl.targets import read_targets
    >>> from sklearn_mtl.tasks import Regression, TaskSet
    >>> from sklearn_mtl.trunks import MLP
    >>> columns = read_targets({"price": [1.0, 2.0, 4.0]}).columns
    >>> tasks = TaskSet((Regression().bind(columns["price"], np.ones(3)),))
    >>> spec = FeatureSpec((Block("x", (8,)),))
    >>> blueprint = Blueprint(spec, tasks, MLP((10**9,)), HardSharing(), StaticWeights(), ((),), (1.0,))
    >>> shapes_of(blueprint, {}, most=1000)["sharing.trunk.stages.0.0.weight"]
    (1000000000, 8)
    """
    given = {name: torch.as_tensor(value) for name, value in statistics.items()}
    on_meta = {
        name: value if name.startswith(OF_SHARING) else value.to("meta") for name, value in given.items()
    }
    with torch.device("meta"), _Counted(most):
        module = blueprint.build(on_meta)
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
