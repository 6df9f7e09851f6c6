"""What the parameters of trunks may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import nn

from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer, is_number, sizes_of

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


def check_hidden_layers(
    owner: str, hidden_sizes: Sequence[int], activation: str, dropout: float | str, dropout_or: str = ""
) -> tuple[int, ...]:
    """Return the hidden sizes as a tuple; raise a ``ValueError`` if any of the three can't be used.

    Parameters
    ----------
    owner : str
        Name of the trunk, for the messages.
    hidden_sizes, activation, dropout
        The values of its parameters.
    dropout_or : str, optional
        What ``dropout`` may be besides a share; nothing by default.
    """
    sizes = sizes_of(hidden_sizes)
    if sizes is None:
        raise ValueError(
            f"`hidden_sizes` of {owner} must hold positive integers, below 2**31. "
            f"Found {shown(hidden_sizes)}."
        )
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(
            f"`activation` of {owner} must be one of {sorted(ACTIVATIONS)}. Found {shown(activation)}."
        )
    if not (dropout_or and isinstance(dropout, str) and dropout == dropout_or) and not (
        is_number(dropout) and 0 <= float(dropout) < 1
    ):
        other = f"{dropout_or!r} or a number " if dropout_or else ""
        raise ValueError(f"`dropout` of {owner} must be {other}in [0, 1). Found {shown(dropout)}.")
    return sizes


def check_counts(owner: str, **counts: object) -> None:
    """Raise a ``ValueError`` if a parameter is no positive integer.

    Parameters
    ----------
    owner : str
        Name of the trunk, for the message.
    **counts : object
        The parameters' values by their names.
    """
    for name, value in counts.items():
        if not is_integer(value) or not 0 < value < 2**31:  # type: ignore[operator]
            raise ValueError(
                f"`{name}` of {owner} must be a positive integer, below 2**31. Found {shown(value)}."
            )


def check_shares(owner: str, **shares: object) -> None:
    """Raise a ``ValueError`` if a parameter is no share of units to drop.

    Parameters
    ----------
    owner : str
        Name of the trunk, for the message.
    **shares : object
        The parameters' values by their names.
    """
    for name, value in shares.items():
        if not is_number(value) or not 0 <= value < 1:  # type: ignore[operator]
            raise ValueError(f"`{name}` of {owner} must be a number in [0, 1). Found {shown(value)}.")


def check_flags(owner: str, **flags: object) -> None:
    """Raise a ``ValueError`` if a parameter is neither True nor False.

    Parameters
    ----------
    owner : str
        Name of the trunk, for the message.
    **flags : object
        The parameters' values by their names.
    """
    for name, value in flags.items():
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"`{name}` of {owner} must be True or False. Found {shown(value)}.")
