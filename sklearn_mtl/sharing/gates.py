"""How much each expert counts: the gates of mixtures of experts, those of all tasks in one product."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_integer
from sklearn_mtl.trunks.layers import TaskLinear, linear

# What gates give is so many times what their weights make of the input, or they would settle long after the
# experts: Adam moves a weight by about the learning rate, whatever it is for. With three groups of tasks, R²
# is 0.56 in place of 0.42 (one trunk: 0.44).
SCALE = 5.0
# What gates give for standardised rows begins within about ± this: with all experts, but not all tasks alike.
START = 0.5


class StaticGates(nn.Module):
    """Outputs of gates that are the same for every row.

    Parameters
    ----------
    spec : FeatureSpec
        Blocks of the input; not looked at.
    n_gates, n_outputs : int
        Number of gates, and of the outputs of each.
    """

    def __init__(self, spec: FeatureSpec, n_gates: int, n_outputs: int) -> None:
        super().__init__()
        self.outputs = nn.Parameter(torch.empty(n_gates, n_outputs))
        self.draw_within(START)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the outputs, shape (1, 1, gates, outputs)."""
        return SCALE * self.outputs[None, None]

    @torch.no_grad()
    def draw_within(self, bound: float) -> None:
        """Draw the outputs anew, uniformly within ± ``bound``."""
        self.outputs.uniform_(-bound / SCALE, bound / SCALE)


class InputGates(nn.Module):
    """Outputs of gates that are linear in the numbers of the encoded row, its blocks side by side.

    Codes are not read: the most frequent levels of a column of many are among the numbers.

    Parameters
    ----------
    spec : FeatureSpec
        Blocks of the input.
    n_gates, n_outputs : int
        Number of gates, and of the outputs of each.
    """

    def __init__(self, spec: FeatureSpec, n_gates: int, n_outputs: int) -> None:
        super().__init__()
        self.names = [block.name for block in spec.numbers]
        n_inputs = sum(math.prod(block.shape) for block in spec.numbers)
        self.weight = nn.Parameter(torch.empty(n_gates, n_outputs, n_inputs))
        self.bias = nn.Parameter(torch.empty(n_gates, n_outputs))
        self.draw_within(START)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the outputs, for all members alike, shape (rows, 1, gates, outputs)."""
        blocks = [inputs[name].flatten(1) for name in self.names]
        rows = blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=1)
        # One product for all gates.
        product_of = F.linear if self.training else linear
        product = product_of(rows, self.weight.flatten(0, 1), self.bias.flatten())
        return SCALE * product.unflatten(1, (1, *self.bias.shape))

    @torch.no_grad()
    def draw_within(self, bound: float) -> None:
        """Draw the weights anew, so that the outputs for standardised rows are mostly within ± ``bound``."""
        bound /= SCALE * max(self.weight.shape[-1], 1) ** 0.5
        self.weight.uniform_(-bound, bound)
        self.bias.uniform_(-bound, bound)


class RepresentationGates(nn.Module):
    """Outputs of gates of which each is linear in a representation of its own.

    Parameters
    ----------
    n_gates, n_inputs, n_outputs : int
        Number of gates, and of the inputs and outputs of each.
    """

    def __init__(self, n_gates: int, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.linear = TaskLinear(1, n_gates, n_inputs, n_outputs)
        for parameter in self.linear.parameters():
            parameter.data.mul_(START / SCALE)

    def forward(self, representations: Tensor) -> Tensor:
        """Return the outputs, shape (rows, members, gates, outputs).

        Parameters
        ----------
        representations : tensor of shape (rows, members, gates, inputs)
            What each gate reads. The members have one gate.
        """
        outputs: Tensor = SCALE * self.linear(representations.flatten(0, 1).unsqueeze(1))
        return outputs.unflatten(0, representations.shape[:2]).squeeze(2)


GATES: dict[str, type[StaticGates | InputGates]] = {"per_example": InputGates, "static": StaticGates}


def gates_of(owner: str, gate: str, spec: FeatureSpec) -> type[StaticGates | InputGates]:
    """Return the class of gates by its name; raise a ``ValueError`` for one that can't be used.

    Parameters
    ----------
    owner : str
        Name of the recipe, for the messages.
    gate : {"per_example", "static"}
        Whether gates read the row.
    spec : FeatureSpec
        Blocks of the input and their shapes.
    """
    if not isinstance(gate, str) or gate not in GATES:
        raise ValueError(f"`gate` of {owner} must be one of {sorted(GATES)}. Found {shown(gate)}.")
    if gate == "per_example":
        check_numbers(owner, spec, f"; {owner}(gate='static') has gates that read no inputs")
    return GATES[gate]


def check_numbers(owner: str, spec: FeatureSpec, way_out: str = "") -> None:
    """Raise a ``ValueError`` if a block of the input can't be read by a gate.

    Parameters
    ----------
    owner : str
        Name of the recipe, for the message.
    spec : FeatureSpec
        Blocks of the input and their shapes.
    way_out : str, optional
        What the message ends in.
    """
    varying = [block.name for block in spec.numbers if block.varies]
    if varying:
        raise ValueError(
            f"Gates of {owner} are linear in the inputs, of one shape in all rows. Found rows of unequal "
            f"lengths in {shown(varying)}{way_out}."
        )
    codes = [block.name for block in spec.tokens]
    if codes:
        raise ValueError(
            f"Gates of {owner} are linear in the inputs, which must be numbers. Found codes in "
            f"{shown(codes)}{way_out}."
        )


def check_count(owner: str, name: str, count: int) -> int:
    """Return a number of experts or the like; raise a ``ValueError`` if it is no positive integer.

    Parameters
    ----------
    owner, name : str
        Names of the recipe and of its parameter, for the message.
    count : int
        The value of the parameter.
    """
    if not is_integer(count) or not 0 < count < 2**31:
        raise ValueError(
            f"`{name}` of {owner} must be a positive integer, below 2**31. Found {shown(count)}."
        )
    return int(count)


def mixed(weights: Tensor, experts: Tensor) -> Tensor:
    """Return the sums of the experts' outputs as each gate weighs them, (rows, members, gates, width).

    Parameters
    ----------
    weights : tensor of shape (rows or 1, members or 1, gates, experts)
        How much each expert counts; one for all where an axis has length 1.
    experts : tensor of shape (rows, members, experts, width)
        Outputs of the experts.
    """
    return torch.einsum("rmge,rmew->rmgw", weights, experts)
