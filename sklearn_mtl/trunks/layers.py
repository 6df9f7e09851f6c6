"""Layers that trunks are made of.

Examples
--------
>>> import torch
>>> from sklearn_mtl.trunks.layers import BatchEnsembleLinear
>>> BatchEnsembleLinear(4, 8, members=3)(torch.zeros(10, 3, 4)).shape
torch.Size([10, 3, 8])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import local
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sklearn_mtl.trunks.fixed_inputs import member_products

# One random word of 64 bits makes four numbers of 16.
NUMBERS_PER_WORD = 4
LEVELS = 2**16
# Rows of a multiple of so many numbers each begin at an address of whole vectors, in single precision the
# widest of any processor.
WHOLE_VECTORS = 16
# Of so many columns of 0 and 1 the product takes longer than finding which are 1.
FEWEST_BITS_APART = 200


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


class _Own(local):
    """The generators of the network that is built or trained in this thread; None where there is none."""

    generators: tuple[torch.Generator, torch.Generator] | None = None


_own = _Own()


def own_generators() -> tuple[torch.Generator, torch.Generator] | None:
    """Return the generators, of the CPU and of the device, of the network that this thread builds or trains.

    Outside of both there are none: what is drawn is then drawn from torch's own.
    """
    return _own.generators


def own_generator(device: torch.device | None = None) -> torch.Generator | None:
    """Return the one of `own_generators` that is on a device, the CPU by default; None where none is."""
    kind = "cpu" if device is None else device.type
    return next((one for one in _own.generators or () if one.device.type == kind), None)


@contextmanager
def drawing_from(generators: tuple[torch.Generator, torch.Generator]) -> Iterator[None]:
    """Let the layers of this package, in this thread, draw from generators of the CPU and of the device."""
    before, _own.generators = _own.generators, generators
    try:
        yield
    finally:
        _own.generators = before


class OwnDraws(TorchFunctionMode):
    """Inside the block, what this thread draws comes from its own generators as far as torch lets one say so.

    Constructors of torch's layers, and most code that draws, name no generator: torch would take the one that
    all threads share. It still does for what takes none, such as ``torch.nn.functional.dropout``.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Name the generator where a function takes one and none is named."""
        kwargs = dict(kwargs or {})
        if func in _LIKE and own_generators():
            like = torch.empty_like(*args, **kwargs)
            getattr(like.detach(), _LIKE[func])(generator=own_generator(like.device))
            return like
        if func in _DRAWS and kwargs.get("generator") is None:
            tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
            place = tensors[0].device if tensors else kwargs.get("device") or torch.get_default_device()
            kwargs["generator"] = own_generator(torch.device(place))
        return func(*args, **kwargs)


_FILLS = [f"{name}_" for name in ("uniform", "normal", "random", "bernoulli", "exponential", "cauchy")]
_KINDS = [f"{kind}_{form}_" for kind in ("xavier", "kaiming") for form in ("uniform", "normal")]
_MAKERS = ["rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson"]
_LIKE = {torch.rand_like: "uniform_", torch.randn_like: "normal_"}
# Under a mode, torch's initialisations are called as wholes: what they do inside is not seen.
_DRAWS = frozenset(
    [
        *(
            getattr(Tensor, name)
            for name in [*_FILLS, "log_normal_", "geometric_", "bernoulli", "multinomial"]
        ),
        *(getattr(nn.init, name) for name in ["uniform_", "normal_", "trunc_normal_", *_KINDS]),
        *(nn.init.orthogonal_, nn.init.sparse_),
        *(getattr(torch, name) for name in _MAKERS),
    ]
)


class Dropout(nn.Module):
    """Sets a share of the numbers to 0 while training, and scales the others so that the mean stays.

    Srivastava et al. (2014). A number costs 16 random bits: on one core, a mask is drawn in about an
    eighth of the time that ``torch.nn.Dropout`` takes.

    Parameters
    ----------
    p : float
        Share set to 0, in [0, 1); rounded to a multiple of 2⁻¹⁶ below 1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.trunks.layers import Dropout
    >>> mask = Dropout(0.5).draw((3, 4), torch.Generator().manual_seed(0))
    >>> mask.unique()
    tensor([0., 2.])
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        # A half-precision number of numpy would overflow below.
        self.p = float(p)
        self.dropped_levels = min(round(self.p * LEVELS), LEVELS - 1)

    def draw(
        self,
        shape: Sequence[int],
        generator: torch.Generator | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> Tensor:
        """Return a mask: 0 where a number is dropped, elsewhere 1 over the share that is kept.

        Parameters
        ----------
        shape : sequence of int
            Shape of the mask.
        generator : torch.Generator, optional
            Source of randomness; torch's global one by default.
        dtype, device
            Number format and device of the mask.
        """
        count = math.prod(shape)
        words = torch.empty(-(-count // NUMBERS_PER_WORD), dtype=torch.int64, device=device)
        levels = words.random_(-(2**63), None, generator=generator).view(torch.int16)[:count]
        # In place on floats, as booleans take torch several times longer; those of 16 bits round levels.
        exact = torch.float64 if dtype == torch.float64 else torch.float32
        kept = levels.to(exact).ge_(self.dropped_levels - LEVELS // 2)
        return kept.mul_(LEVELS / (LEVELS - self.dropped_levels)).to(dtype).view(tuple(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Return the numbers, multiplied by a new mask in training."""
        if not self.training:
            return x
        return x * self.draw(x.shape, own_generator(x.device), dtype=x.dtype, device=x.device)

    def extra_repr(self) -> str:
        """Show the share."""
        return f"p={self.p}"


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


def _pays_apart(x: Tensor) -> bool:
    """Whether sums of a few rows are faster than a product: not on a GPU, in half precision or compiled."""
    kind = x.device.type
    return kind == "cpu" and not torch.is_autocast_enabled(kind) and not torch.compiler.is_compiling()


def _scales(members: int, features: Sequence[int]) -> Tensor:
    drawn = [torch.empty(members, 1).normal_().expand(-1, count) for count in features]
    return torch.cat(drawn, dim=1)


class PiecewiseLinearEmbedding(nn.Module):
    """A vector for each number, a function that is linear within each of the feature's bins.

    Version B of the embeddings of Gorishniy, Rubachev & Babenko (2022), "On Embeddings for Numerical
    Features in Tabular Deep Learning", as TabM has them: w x + b, plus a product with the encoding of x,
    a number for each bin that rises from 0 to 1 across it and begins at a product of 0. The first bin is
    open below, the last above.

    Parameters and buffers have one shape whatever the data.

    Parameters
    ----------
    edges : tensor of shape (n_features, n_bins + 1)
        Increasing bin edges of each feature, at least two, filled up with nan.
    size : int
        Width of a number's vector.
    """

    slope: Tensor
    offset: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, edges: Tensor, size: int) -> None:
        super().__init__()
        n_features, n_bins = len(edges), edges.shape[1] - 1
        bound = size**-0.5
        self.scale = nn.Parameter(torch.empty(n_features, size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_features, size).uniform_(-bound, bound))
        self.weight = nn.Parameter(torch.zeros(n_features, n_bins, size))
        width = edges.diff()
        is_bin = ~width.isnan()
        self.register_buffer("slope", torch.where(is_bin, 1 / width, 0.0))
        self.register_buffer("offset", torch.where(is_bin, -edges[:, :-1] / width, 0.0))
        number = torch.arange(n_bins)
        is_last = number == is_bin.sum(1, keepdim=True) - 1
        zeros = torch.zeros_like(self.slope)
        self.register_buffer("lowest", zeros.masked_fill(number == 0, -torch.inf))
        self.register_buffer("highest", is_bin.to(zeros).masked_fill(is_last, torch.inf))

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors, side by side.

        Parameters
        ----------
        x : tensor of shape (rows, n_features)
            The numeric features.

        Returns
        -------
        tensor of shape (rows, n_features * size)
        """
        x = x.unsqueeze(-1)
        encoding = torch.addcmul(self.offset, self.slope, x).clamp(self.lowest, self.highest)
        # In training, the weights are laid out for the product as they are.
        by_size = self.weight.transpose(1, 2)
        encoding, by_size = (encoding, by_size) if self.training else aligned(encoding, by_size)
        curved = torch.bmm(encoding.transpose(0, 1), by_size.transpose(1, 2)).transpose(0, 1)
        return (torch.addcmul(self.bias, self.scale, x) + curved).flatten(1)
