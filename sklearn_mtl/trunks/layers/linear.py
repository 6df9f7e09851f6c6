"""Linear layers that round each row alike wherever it is: of a network, of its members, of its tasks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Rows of a multiple of so many numbers each begin at an address of whole vectors, in single precision the
# widest of any processor.
WHOLE_VECTORS = 16
# Of so few columns a product with its bias is slow on a GPU: 256 × 256 by 6 columns took 15 µs on an H200,
# and 8 µs with the bias added after it.
FEW_COLUMNS = 16


def aligned(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two factors of a product over their last axes, filled up with zeros to whole vectors.

    A product of few columns, and in double precision of many too, is computed from the first address of whole
    vectors on. If that is elsewhere in each row, then rows are rounded by their place among the others, on
    which a prediction must not depend. To train, products are faster as they are.

    Parameters
    ----------
    x, weight : tensor of shape (..., n_in)
        Rows, and the weights of each output.
    """
    missing = -weight.shape[-1] % WHOLE_VECTORS
    return (F.pad(x, (0, missing)), F.pad(weight, (0, missing))) if missing else (x, weight)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return what ``torch.nn.functional.linear`` does, each row rounded alike wherever it is.

    Parameters
    ----------
    input, weight, bias : tensor
        As in torch.
    """
    return F.linear(*aligned(input, weight), bias)


class Linear(nn.Linear):
    """torch's linear layer; in evaluation it rounds each row alike wherever it is among others."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        return super().forward(x) if self.training else linear(x, self.weight, self.bias)

    @classmethod
    def stacked(cls, layers: Sequence[nn.Linear]) -> nn.Module:
        """Return what these layers do side by side, as one layer."""
        return StackedLinear(layers)


class StackedLinear(nn.Module):
    """Linear layers of trunks side by side: (rows, members, n, n_in) to (rows, members, n, n_out).

    Parameters
    ----------
    layers : sequence of nn.Linear
        The layers of the n trunks, all with a bias or all without.
    """

    bias: nn.Parameter | None

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = joined([layer.weight for layer in layers])
        biases = [layer.bias for layer in layers if layer.bias is not None]
        self.register_parameter("bias", joined(biases) if biases else None)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of all layers."""
        weight, n = self.weight, len(self.weight)
        if reads_one_input(x):
            bias = None if self.bias is None else self.bias.flatten()
            product_of = F.linear if self.training else linear
            return product_of(x[:, :, 0], weight.flatten(0, 1), bias).unflatten(-1, (n, -1))
        return product_of_each(x, weight, self.bias, training=self.training)


def joined(parameters: Sequence[Tensor]) -> nn.Parameter:
    """Return the parameters of several layers as one, with the layers as its first axis."""
    together = torch.stack([parameter.detach() for parameter in parameters])
    return nn.Parameter(together, requires_grad=parameters[0].requires_grad)


def reads_one_input(x: Tensor) -> bool:
    """Whether trunks side by side are all given the same numbers: one tensor, repeated without a copy.

    Their products are then one, with a matrix for each trunk below the other.

    Parameters
    ----------
    x : tensor of shape (rows, members, n, n_in)
    """
    return x.stride(2) == 0


def product_of_each(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, training: bool) -> Tensor:
    """Return the products of trunks side by side, (rows, members, n, n_out).

    Parameters
    ----------
    x : tensor of shape (rows, members, n, n_in)
        What each trunk is given.
    weight : tensor of shape (n, n_out, n_in)
        The matrix of each trunk.
    bias : tensor of shape (n, n_out), optional
        What is added.
    training : bool
        Whether rows may be rounded by their place among others.
    """
    rows, members = x.shape[:2]
    x, weight = (x, weight) if training else aligned(x, weight)
    # Trunks first, as the product lays out what the next layer takes: no copy is made in between.
    given = x.permute(2, 0, 1, 3).flatten(1, 2)
    by_trunk = weight.transpose(1, 2)
    if bias is None:
        product = torch.bmm(given, by_trunk)
    else:
        product = torch.baddbmm(bias.unsqueeze(1), given, by_trunk)
    return product.unflatten(1, (rows, members)).permute(1, 2, 0, 3)


class MemberLinear(nn.Module):
    """A linear layer for each member: (rows, members, n_in) to (rows, members, n_out).

    Parameters
    ----------
    members, n_in, n_out : int
        Members, and the columns of what each is given and returns.
    scale : tensor of shape (n_out, n_in), optional
        What each weight is multiplied by: 0 for what an output does not depend on.
    """

    scale: Tensor | None

    def __init__(self, members: int, n_in: int, n_out: int, scale: Tensor | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(_uniform(n_in, members, n_out, n_in))
        self.bias = nn.Parameter(_uniform(n_in, members, n_out))
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        weight = _scaled(self.weight, self.scale)
        x, weight = (x, weight) if self.training else aligned(x, weight)
        if len(weight) > 1:
            return torch.bmm(x.transpose(0, 1), weight.transpose(1, 2)).transpose(0, 1) + self.bias
        if self.training and x.is_cuda and weight.shape[1] < FEW_COLUMNS:
            return F.linear(x, weight.squeeze(0)) + self.bias.squeeze(0)
        return F.linear(x, weight.squeeze(0), self.bias.squeeze(0))


class TaskLinear(nn.Module):
    """A linear layer for each member and task: (rows, members, tasks, n_in) to (…, n_out).

    Parameters
    ----------
    members, n_tasks, n_in, n_out : int
        Members and tasks, and the columns of what each is given and returns.
    scale : tensor of shape (n_tasks, 1, n_in), optional
        What the weights of each task are multiplied by: 0 for what it does not depend on.
    """

    scale: Tensor | None

    def __init__(
        self, members: int, n_tasks: int, n_in: int, n_out: int, scale: Tensor | None = None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(_uniform(n_in, members, n_tasks, n_out, n_in))
        self.bias = nn.Parameter(_uniform(n_in, members, n_tasks, n_out))
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        members, n_tasks = self.weight.shape[:2]
        weight = _scaled(self.weight, self.scale)
        x, weight = (x, weight) if self.training else aligned(x, weight)
        by_layer = x.permute(1, 2, 0, 3).flatten(0, 1)
        product = torch.bmm(by_layer, weight.flatten(0, 1).transpose(1, 2))
        return product.unflatten(0, (members, n_tasks)).permute(2, 0, 1, 3) + self.bias


def _scaled(weight: Tensor, scale: Tensor | None) -> Tensor:
    return weight if scale is None else weight * scale


def _uniform(n_in: int, *shape: int) -> Tensor:
    """Uniform in ±1/√n_in, as torch draws the weights and biases of a linear layer."""
    return torch.empty(shape).uniform_(-1, 1) / max(n_in, 1) ** 0.5
