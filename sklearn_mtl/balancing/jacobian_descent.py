"""Any aggregator of TorchJD as a balancing method."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from copy import deepcopy
from inspect import signature
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from sklearn_mtl.balancing.balancer import Balancer
from sklearn_mtl.balancing.gradient_method import GradientMethod
from sklearn_mtl.balancing.gramian_balancer import GivenWeights
from sklearn_mtl.balancing.torchjd_aggregation import torchjd
from sklearn_mtl.messages import shown


class JacobianDescent(GradientMethod):
    """An aggregator of TorchJD, or one of your own class, from the tasks' gradients to one.

    ``balancing=`` takes the aggregator itself and makes this of it, or the method of the same name in this
    package where that says all. The gradients of tasks that take no part are left out; they are rows of zeros
    for an aggregator that remembers something or is for a certain number of rows. Where the aggregator weighs
    the rows, the user's task weights multiply its weights, else the rows. Its scale is left as it is.

    Parameters
    ----------
    aggregator : torchjd.aggregation.Aggregator
        It is copied: each network has its own, which begins anew, also where an estimator that was pickled is
        trained on.
    at : {"parameters", "representation"}, default="parameters"
        Where gradients are compared, as `GradientMethod` says.

    Examples
    --------
    >>> import torch
    >>> from torchjd.aggregation import TrimmedMean
    >>> from sklearn_mtl.balancing import JacobianDescent
    >>> gradients = torch.tensor([[1.0, 0.0], [0.0, 3.0], [2.0, 9.0]])
    >>> JacobianDescent(TrimmedMean(1)).fresh(3)(gradients, torch.ones(3), torch.ones(3))
    tensor([1., 3.])
    """

    aggregator: Any

    def __init__(self, aggregator: Any, *, at: str = "parameters") -> None:
        super().__init__(at=at)
        self.aggregator = aggregator

    def start(self, n_tasks: int) -> None:
        """Let the aggregator begin anew.

        Raises
        ------
        ValueError
            If it is no aggregator, or can't have as many rows as there are tasks.
        """
        super().start(n_tasks)
        library = torchjd()
        if not isinstance(self.aggregator, library.Aggregator):
            raise ValueError(
                "`aggregator` of JacobianDescent must be an Aggregator of TorchJD. Found "
                f"{shown(self.aggregator)}."
            )
        running = deepcopy(self.aggregator)
        remembering: list[Any] = [part for part in running.modules() if hasattr(part, "reset")]
        for part in remembering:
            part.reset()
        error = _refusal(running, n_tasks)
        if error is not None:
            raise ValueError(
                f"`aggregator` of JacobianDescent must take the gradients of all tasks, {n_tasks}. Found "
                f"{shown(self.aggregator)}, and: {error}"
            ) from error
        self.needs_all = bool(remembering) or _refusal(running, 1) is not None
        self.weighs = isinstance(running, library.WeightedAggregator)
        # In a tuple it is no part of this module: what it remembers has other shapes than at first.
        self.running = (running,)
        self.given = GivenWeights(n_tasks)

    def forward(self, gradients: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
        """Return what the aggregator makes of the gradients."""
        (running,) = self.running
        if not gradients.isfinite().all():
            # Found at the end of the epoch, with the task that it comes from; a solver would raise an error.
            return weights @ gradients
        taking_part = weights > 0
        if not taking_part.any():
            return torch.zeros_like(gradients[0])
        rows = torch.ones_like(taking_part) if self.needs_all else taking_part
        if not self.weighs:
            found: Tensor = running((gradients * weights.unsqueeze(1))[rows])
            return found
        rates = torch.zeros_like(weights)
        rates[rows] = weights[rows] * running.weighting(gradients[rows]).to(weights)
        self.given.add(rates, taking_part)
        return rates @ gradients

    def effective_weights(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Return the mean of the weights that each gradient had, or the user's without such weights."""
        return self.given.mean(weights)

    def end_epoch(self, losses: Tensor) -> None:
        """Forget the weights of the epoch."""
        self.given.clear()


def _refusal(aggregator: Any, n_rows: int) -> Exception | None:
    """Return the error that an aggregator raises when it is given so many rows."""
    before = torch.get_rng_state()
    try:
        deepcopy(aggregator)(torch.eye(n_rows))
    # An aggregator, which may be a user's, raises anything.
    except Exception as error:
        return error
    finally:
        torch.set_rng_state(before)
    return None


def of_aggregator(value: Any, methods: Mapping[str, type[Balancer]]) -> Balancer | None:
    """Return an aggregator of TorchJD as a balancing method, and None for anything else.

    Parameters
    ----------
    value : object
        What a user has given.
    methods : mapping of str to type
        The package's own methods by the names of TorchJD's classes.
    """
    # Without TorchJD there are no aggregators, and nothing is imported to find that out.
    library = sys.modules.get("torchjd.aggregation")
    if library is None or not isinstance(value, library.Aggregator):
        return None
    method = methods.get(type(value).__name__)
    if method is None or type(value) is not getattr(library, type(value).__name__, None):
        return JacobianDescent(value)
    plain: Any = method()
    found = {name: getattr(value, name) for name in plain.get_params() if hasattr(value, name)}
    own = {name: setting for name, setting in found.items() if isinstance(setting, Real | str)}
    # TorchJD's text of an aggregator has all of its parameters: those that ours does not have must be usual.
    needed = {
        name: getattr(value, name)
        for name, parameter in signature(type(value)).parameters.items()
        if parameter.default is parameter.empty
    }
    usual = type(value)(**{**needed, **own})
    return method(**own) if repr(usual) == repr(value) else JacobianDescent(value)
