"""The optimizer's groups of parameters: what is trained otherwise than the rest, and from when on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from inspect import Parameter, signature
from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import Balancer
from sklearn_mtl.trunks.layers.fine_tuning import fine_tuned

# In a group of the optimizer: for how many epochs its parameters are frozen.
FROZEN_EPOCHS = "frozen_epochs"


def groups_of_their_own(
    network: nn.Module,
    balancer: Balancer,
    optimizer: type[torch.optim.Optimizer],
    options: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return the groups of parameters that the optimizer treats otherwise than the rest of the network.

    All others belong to one group: a second one is more than some optimizers take, and schedules that are
    given a list have one entry for each group.

    Parameters
    ----------
    network : nn.Module
        The network, whose fine-tuned parts may learn at rates of their own, and later than the rest.
    balancer : Balancer
        The balancer of the net, with its learned parameters.
    optimizer : type of torch Optimizer
        Class of the optimizer.
    options : mapping
        Keyword arguments that the class is called with.

    Returns
    -------
    list of dict
        Each with ``"params"``, a list of parameters, and the settings; those of the network come first.

    Raises
    ------
    ValueError
        If there are any, and the optimizer takes one group only.
    """
    of_trunk, of_balancer = _of_network(network, options), _of_balancer(balancer, optimizer, options)
    if (of_trunk or of_balancer) and issubclass(optimizer, torch.optim.LBFGS):
        who = "`trunk` must be trained as the rest of the network is"
        if not of_trunk:
            who = f"`param_groups` of {type(balancer).__name__} must have the settings of the network"
        own = [{n: value for n, value in group.items() if n != "params"} for group in of_trunk or of_balancer]
        raise ValueError(
            f"{who} where `optimizer` takes one group of parameters, as {optimizer.__name__} does. Found "
            f"{own}."
        )
    return [*of_trunk, *of_balancer]


def _of_network(network: nn.Module, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"params": parameters, "lr": options["lr"] * how.lr_scale, FROZEN_EPOCHS: how.frozen_epochs}
        for how, parameters in fine_tuned(network).items()
        # What is never trained is in the group of the rest: of it nothing is asked.
        if how.frozen_epochs != inf
    ]


def _of_balancer(
    balancer: Balancer, optimizer: type[torch.optim.Optimizer], options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    groups = balancer.param_groups()
    # To look at a signature takes a while, and few balancers learn anything.
    known = signature(optimizer).parameters if groups else {}
    takes_any = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in known.values())
    settings = {name: parameter.default for name, parameter in known.items()} | dict(options)
    found = []
    for group in groups:
        others = {name: value for name, value in group.items() if name != "params"}
        # A setting that the optimizer does not have means nothing to it.
        if any(settings[name] != value if name in settings else takes_any for name, value in others.items()):
            params = group["params"]
            found.append({**group, "params": [params] if isinstance(params, Tensor) else list(params)})
    return found


def take_over(
    optimizer: torch.optim.Optimizer,
    before: torch.optim.Optimizer,
    parameters: Sequence[tuple[Tensor, Tensor]],
) -> None:
    """Give an optimizer the state of another, and leave it its own settings.

    Parameters
    ----------
    optimizer, before : torch Optimizer
        Two of one class; their parameters may be grouped in different ways.
    parameters : sequence of tuple
        Each parameter of ``before``, and the one that it has become.
    """
    groups, groups_before = optimizer.state_dict()["param_groups"], before.state_dict()["param_groups"]
    parameter_before = {id(new): old for old, new in parameters}
    states: list[Any] = []
    for group in optimizer.param_groups:
        # In a group parameters may share their count of steps, which two groups would both raise.
        copies: dict[int, Any] = {}
        for parameter in group["params"]:
            state = before.state.get(parameter_before.get(id(parameter), parameter))
            states.append(deepcopy(state, copies))
    if len(groups) == len(groups_before):
        # What a schedule has added to a group is kept.
        groups = [{**old, **own} for old, own in zip(groups_before, groups, strict=True)]
    state = {number: state for number, state in enumerate(states) if state is not None}
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def unfreeze(groups: Iterable[Mapping[str, Any]], n_epochs: int) -> bool:
    """Let groups learn that are no longer frozen; return whether there were any.

    Parameters
    ----------
    groups : iterable of mapping
        Groups of an optimizer.
    n_epochs : int
        Number of epochs that are over.
    """
    found = [
        parameter
        for group in groups
        if 0 < group.get(FROZEN_EPOCHS, 0) <= n_epochs
        for parameter in group["params"]
        if not parameter.requires_grad
    ]
    for parameter in found:
        parameter.requires_grad_()
    return bool(found)


def are_frozen(groups: Iterable[Mapping[str, Any]], n_epochs: int) -> bool:
    """Whether groups of an optimizer are frozen that will learn later, after so many epochs."""
    return any(group.get(FROZEN_EPOCHS, 0) > n_epochs for group in groups)
