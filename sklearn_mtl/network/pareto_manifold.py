"""Networks whose weights are the points of a simplex: one corner for each task, trained together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from sklearn_mtl.network.module import MultiTaskModule
from sklearn_mtl.sharing import SharingModule
from sklearn_mtl.trunks.layers import own_generator


class ParetoManifold(nn.Module):
    """A network whose weights are the weighted mean of several others', its corners.

    With the preference α, a point of the simplex, the weights are Σ α_k θ_k. The one network at that point,
    `point`, has ordinary parameters, to which each forward pass gives their values: whatever a way of
    sharing or a balancer does with its parameters it does here too. Trained are the `corners` alone: the
    derivative in θ_k is α_k times that in the weights of the point, which `pull_back` computes.

    Parameters
    ----------
    network : MultiTaskModule
        The network at whose weights all corners begin, taken over. Buffers and frozen parameters are shared.
    n_corners : int
        Number of corners.

    Notes
    -----
    In the paper the corners begin at different weights: measured on Ames, that has cost a score of 0.017.

    References
    ----------
    .. [1] N. Dimitriadis, P. Frossard and F. Fleuret, "Pareto Manifold Learning: Tackling multiple tasks via
       ensembles of single-task models", ICML 2023.
    """

    preference: Tensor
    _position: Tensor
    _strides: Tensor

    def __init__(self, network: MultiTaskModule, n_corners: int) -> None:
        super().__init__()
        self.point = network
        weights = _flat(_trained(network)).detach()
        self.corners = nn.Parameter(weights.expand(n_corners, -1).clone())
        self.register_buffer("preference", self._centre)
        # A single corner draws nothing, and trains as the network would.
        self.register_buffer("_position", torch.rand(n_corners - 1, generator=own_generator()))
        self.register_buffer("_strides", _strides(n_corners - 1))

    @property
    def sharing(self) -> SharingModule:
        """The way of sharing, with the weights of the point."""
        return self.point.sharing

    @property
    def raw_scale(self) -> Tensor:
        """What raw outputs are multiplied by: ones."""
        return self.point.raw_scale

    @property
    def watched(self) -> Tensor:
        """The points at which held-out rows are predicted, (n_points, n_corners): first the centre.

        The others lie half the way from it to each corner.
        """
        corners = torch.eye(len(self.corners)).to(self._centre)
        return torch.cat([self._centre[None], (corners + self._centre) / 2])

    @property
    def _centre(self) -> Tensor:
        n_corners = len(self.corners)
        return self.corners.detach().new_full((n_corners,), 1 / n_corners)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the corners, which alone are trained, averaged and counted."""
        yield f"{prefix}{'.' if prefix else ''}corners", self.corners

    def draw_preference(self) -> None:
        """Move on to the preference of the next step, of a sequence that covers the simplex evenly.

        The uniform distribution on a simplex, a Dirichlet with all parameters 1, is that of the gaps between
        sorted uniform numbers. These follow an additive recurrence by a generalised golden ratio: a few steps
        leave no part of the simplex out, and random numbers of the training stay what they would be.
        """
        position = self._position
        position.add_(self._strides).remainder_(1.0)
        ends = position.new_tensor([0.0]), position.sort().values, position.new_tensor([1.0])
        self.preference.copy_(torch.cat(ends).diff())

    @torch.no_grad()
    def move_to(self, preference: Tensor) -> None:
        """Give the point the weights at a preference.

        Parameters
        ----------
        preference : tensor of shape (n_corners,)
            Non-negative numbers whose sum is 1.
        """
        parameters = _trained(self.point)
        weights = (preference @ self.corners).split([parameter.numel() for parameter in parameters])
        for parameter, flat in zip(parameters, weights, strict=True):
            parameter.copy_(flat.view_as(parameter))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return raw outputs, shape (rows, members, raw_width); those at the centre in evaluation mode."""
        self.move_to(self.preference if self.training else self._centre)
        return self.point(inputs)

    def noting(self, noted: list[Tensor], inputs: Mapping[str, Tensor]) -> Tensor:
        """Return what `forward` does in training, and note the representation, as `MultiTaskModule` does."""
        self.move_to(self.preference)
        return self.point.noting(noted, inputs)

    @torch.no_grad()
    def pull_back(self) -> None:
        """Put gradients on the corners, given those on the parameters of the point, which are taken off."""
        parameters = _trained(self.point)
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        self.corners.grad = torch.outer(self.preference, _flat(gradients))
        for parameter in parameters:
            parameter.grad = None

    def at(self, preference: Tensor) -> MultiTaskModule:
        """Return an ordinary network with the weights at a preference, in evaluation mode."""
        self.move_to(preference)
        return deepcopy(self.point).eval()


def _strides(n_dimensions: int) -> Tensor:
    """Return the steps of an additive recurrence in a cube, by the root of x^(n + 1) = x + 1."""
    root = 2.0
    for _ in range(50):
        root = (1 + root) ** (1 / (n_dimensions + 1))
    return root ** -torch.arange(1.0, n_dimensions + 1)


def _trained(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])
