"""Linear layers of an ensemble whose members share one matrix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BatchEnsembleLinear(nn.Module):
    """A linear layer for each member, (rows, members, n_in) to (rows, members, n_out).

    The matrix of member k is diag(s_k) W diag(r_k): the members share W, and have scales and a bias of
    their own (Wen, Tran & Ba 2020, "BatchEnsemble", eq. 5). Drawn as in Gorishniy, Kotelnikov & Babenko
    (2025): W and the bias, one for all members, uniform in ±1/√n_in; scales of ones.

    Parameters
    ----------
    n_in, n_out : int
        Widths.
    members : int
        Number of members.
    features : sequence of int, optional
        Makes the scales r random, standard normal: how many neighbouring inputs stand for each feature,
        which start with one scale.
    shared_input : bool, default=False
        Whether all members are given the same numbers. Where these are not trained, a step then has two
        large products, not three: the gradient of the scales takes none.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        members: int,
        features: Sequence[int] | None = None,
        *,
        shared_input: bool = False,
    ) -> None:
        super().__init__()
        self.shared_input = shared_input
        bound = max(n_in, 1) ** -0.5
        self.weight = nn.Parameter(torch.empty(n_out, n_in).uniform_(-bound, bound))
        self.r = nn.Parameter(torch.ones(members, n_in) if features is None else _scales(members, features))
        self.s = nn.Parameter(torch.ones(members, n_out))
        self.bias = nn.Parameter(torch.empty(n_out).uniform_(-bound, bound).repeat(members, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        product = self._of_one(x[:, 0]) if self.shared_input else F.linear(x * self.r, self.weight)
        return torch.addcmul(self.bias, product, self.s)

    def _of_one(self, x: Tensor) -> Tensor:
        """Return each member's product with the same rows, by writing the members' matrices out."""
        matrices = (self.weight * self.r[:, None]).flatten(0, 1)
        return F.linear(x, matrices).unflatten(1, self.s.shape)


def _scales(members: int, features: Sequence[int]) -> Tensor:
    drawn = [torch.empty(members, 1).normal_().expand(-1, count) for count in features]
    return torch.cat(drawn, dim=1)
