"""Linear layers that round each row alike wherever it is: of a network, of its members, of its tasks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Rows of a multiple of so many numbers each begin at an address of whole vectors, in single precision the
# widest of any processor.
WHOLE_VECTORS = 16


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


class MemberLinear(nn.Module):
    """A linear layer for each member: (rows, members, n_in) to (rows, members, n_out)."""

    def __init__(self, members: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(_uniform(n_in, members, n_out, n_in))
        self.bias = nn.Parameter(_uniform(n_in, members, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        x, weight = (x, self.weight) if self.training else aligned(x, self.weight)
        if len(weight) > 1:
            return torch.bmm(x.transpose(0, 1), weight.transpose(1, 2)).transpose(0, 1) + self.bias
        return F.linear(x, weight.squeeze(0), self.bias.squeeze(0))


class TaskLinear(nn.Module):
    """A linear layer for each member and task: (rows, members, tasks, n_in) to (…, n_out)."""

    def __init__(self, members: int, n_tasks: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(_uniform(n_in, members, n_tasks, n_out, n_in))
        self.bias = nn.Parameter(_uniform(n_in, members, n_tasks, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        members, n_tasks = self.weight.shape[:2]
        x, weight = (x, self.weight) if self.training else aligned(x, self.weight)
        by_layer = x.permute(1, 2, 0, 3).flatten(0, 1)
        product = torch.bmm(by_layer, weight.flatten(0, 1).transpose(1, 2))
        return product.unflatten(0, (members, n_tasks)).permute(2, 0, 1, 3) + self.bias


def _uniform(n_in: int, *shape: int) -> Tensor:
    """Uniform in ±1/√n_in, as torch draws the weights and biases of a linear layer."""
    return torch.empty(shape).uniform_(-1, 1) / max(n_in, 1) ** 0.5
