"""A linear layer for each member of an ensemble, which share most of their weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.nn import functional as F

from sklearn_mtl.trunks.layers.fixed_inputs import member_products
from sklearn_mtl.trunks.layers.linear import joined, linear, product_of_each

# Of so many columns of 0 and 1 the product takes longer than finding which are 1.
FEWEST_BITS_APART = 200


class BatchEnsembleLinear(nn.Module):
    """A linear layer for each member, (rows, members, n_in) to (rows, members, n_out).

    The matrix of member k is diag(s_k) W diag(r_k): the members share W, and have scales and a bias of
    their own (Wen, Tran & Ba 2020, "BatchEnsemble", eq. 5). Drawn as in Gorishniy, Kotelnikov & Babenko
    (2025): W and the bias, one for all members, uniform in ±1/√n_in; scales of ones.

    Parameters
    ----------
    n_in, n_out : int
        Number of features that go in, and that come out.
    members : int
        Number of members.
    features : sequence of int, optional
        Makes the scales r random, standard normal: how many neighbouring inputs stand for each feature,
        which start with one scale.
    shared_input : bool, default=False
        Whether all members are given the same numbers. Where these are not trained, a step then has two
        large products, not three: the gradient of the scales takes none.
    n_bits : int, default=0
        How many of the inputs, the last, are columns of a table that hold only 0 and 1: the same for all
        members and not trained. Many are computed apart while training, by `member_products`.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        members: int,
        features: Sequence[int] | None = None,
        *,
        shared_input: bool = False,
        n_bits: int = 0,
    ) -> None:
        super().__init__()
        self.shared_input = shared_input
        # Counted from the first: in a stack, the inputs of narrower networks are filled up at the end.
        self.first_bit = n_in - n_bits if n_bits >= FEWEST_BITS_APART else None
        bound = max(n_in, 1) ** -0.5
        self.weight = nn.Parameter(torch.empty(n_out, n_in).uniform_(-bound, bound))
        self.r = nn.Parameter(torch.ones(members, n_in) if features is None else _scales(members, features))
        self.s = nn.Parameter(torch.ones(members, n_out))
        self.bias = nn.Parameter(torch.empty(n_out).uniform_(-bound, bound).repeat(members, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output, shape (rows, members, n_out)."""
        first = self.first_bit
        if first is None or not self.training or not _pays_apart(x):
            product = self._product(x, self.weight, self.r)
        else:
            product = member_products(x[:, 0, first:].detach(), self.weight[:, first:], self.r[:, first:])
            if first:
                product = product + self._product(x[..., :first], self.weight[:, :first], self.r[:, :first])
        return torch.addcmul(self.bias, product, self.s)

    def _product(self, x: Tensor, weight: Tensor, r: Tensor) -> Tensor:
        product_of = F.linear if self.training else linear
        if not self.shared_input:
            return product_of(x * r, weight)
        # The matrices W diag(r_k) of all members, one below the other.
        return product_of(x[:, 0], (weight * r[:, None]).flatten(0, 1)).unflatten(1, self.s.shape)

    @classmethod
    def stacked(cls, layers: Sequence[BatchEnsembleLinear]) -> nn.Module:
        """Return what these layers do side by side, as one layer."""
        return StackedBatchEnsembleLinear(layers)


class StackedBatchEnsembleLinear(nn.Module):
    """Layers of trunks side by side: (rows, members, n, n_in) to (rows, members, n, n_out).

    Parameters
    ----------
    layers : sequence of BatchEnsembleLinear
        The layers of the n trunks.
    """

    def __init__(self, layers: Sequence[BatchEnsembleLinear]) -> None:
        super().__init__()
        self.shared_input = layers[0].shared_input
        self.first_bit = layers[0].first_bit
        self.weight = joined([layer.weight for layer in layers])
        self.r = joined([layer.r for layer in layers])
        self.s = joined([layer.s for layer in layers])
        self.bias = joined([layer.bias for layer in layers])

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of all layers."""
        first = self.first_bit
        if first is None or not self.training or not _pays_apart(x):
            product = self._product(x, self.weight, self.r)
        else:
            of_each = vmap(member_products, in_dims=(None, 0, 0), out_dims=2)
            product = of_each(x[:, 0, 0, first:].detach(), self.weight[..., first:], self.r[..., first:])
            if first:
                rest = self._product(x[..., :first], self.weight[..., :first], self.r[..., :first])
                product = product + rest
        return torch.addcmul(self.bias.transpose(0, 1), product, self.s.transpose(0, 1))

    def _product(self, x: Tensor, weight: Tensor, r: Tensor) -> Tensor:
        if not self.shared_input:
            return product_of_each(x * r.transpose(0, 1), weight, training=self.training)
        # The matrices W diag(r_k) of all members of all trunks, one below the other.
        matrices = (weight.unsqueeze(1) * r.unsqueeze(2)).flatten(0, 2)
        product_of = F.linear if self.training else linear
        return product_of(x[:, 0, 0], matrices).unflatten(1, self.s.shape).transpose(1, 2)


def _pays_apart(x: Tensor) -> bool:
    """Whether sums of a few rows are faster than a product: not on a GPU, in half precision or compiled."""
    kind = x.device.type
    return kind == "cpu" and not torch.is_autocast_enabled(kind) and not torch.compiler.is_compiling()


def _scales(members: int, features: Sequence[int]) -> Tensor:
    drawn = [torch.empty(members, 1).normal_().expand(-1, count) for count in features]
    return torch.cat(drawn, dim=1)
