"""Ways of sharing as somebody would write them in torch: two hidden layers, and a number for each task.

What is there once for each task, or for each expert, is one batched product here too. The parameters are
registered in the order in which the package's networks have theirs, so that weights can be copied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Sizes:
    """How large a network is.

    Parameters
    ----------
    n_features, n_tasks : int
        Columns of X, and outputs.
    hidden : tuple of int
        Units of the two hidden layers.
    """

    n_features: int
    n_tasks: int
    hidden: tuple[int, ...]


# What gates give is so many times what is trained, as in the package.
GATE_SCALE = 5.0


class Layers(nn.Module):
    """Linear layers side by side: (n, rows, n_in) to (n, rows, n_out)."""

    def __init__(self, n: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n_out, n_in).uniform_(-1, 1) / n_in**0.5)
        self.bias = nn.Parameter(torch.empty(n, n_out).uniform_(-1, 1) / n_in**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return what each layer makes of rows of its own."""
        return torch.baddbmm(self.bias[:, None], x, self.weight.transpose(1, 2))

    def of_one(self, x: Tensor) -> Tensor:
        """Return what each layer makes of the same rows, (rows, n_in)."""
        together = F.linear(x, self.weight.flatten(0, 1), self.bias.flatten())
        return together.unflatten(1, self.bias.shape).transpose(0, 1)


class ByHand(nn.Module):
    """A network with a linear head for each task.

    Parameters
    ----------
    sizes : Sizes
        How large it is.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.n_tasks = sizes.n_tasks
        self.build(sizes, *sizes.hidden)
        self.head = Layers(sizes.n_tasks, self.head_width(sizes), 1)

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make what lies before the heads, given the hidden units."""
        raise NotImplementedError

    def head_width(self, sizes: Sizes) -> int:
        """Return what a head reads."""
        return sizes.hidden[-1]

    def representation(self, x: Tensor) -> Tensor:
        """Return what the heads read, (tasks, rows, width)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, (rows, tasks)."""
        return self.head(self.representation(x))[..., 0].T

    def penalty(self, x: Tensor) -> Tensor | float:
        """Return what is added to the loss of rows."""
        return 0.0


class Hard(ByHand):
    """One trunk, and one matrix for all heads."""

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make the trunk."""
        self.first, self.second = nn.Linear(sizes.n_features, first), nn.Linear(first, second)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, (rows, tasks)."""
        return F.linear(self.trunk(x), self.head.weight[:, 0], self.head.bias[:, 0])

    def trunk(self, x: Tensor) -> Tensor:
        """Return the representation, (rows, width)."""
        hidden: Tensor = self.second(self.first(x).relu()).relu()
        return hidden


class Separate(ByHand):
    """A trunk for each task."""

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make the trunks."""
        self.first = Layers(sizes.n_tasks, sizes.n_features, first)
        self.second = Layers(sizes.n_tasks, first, second)

    def representation(self, x: Tensor) -> Tensor:
        """Return what each trunk makes of the rows."""
        return self.second(self.first.of_one(x).relu()).relu()


class Soft(Separate):
    """A trunk for each task, the distance of whose weights from their mean is penalized."""

    strength = 0.01

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make weights that are common, and what each trunk adds to them."""
        super().build(sizes, first, second)
        self.own = [*self.first.parameters(), *self.second.parameters()]
        self.common = nn.ParameterList(weights.detach()[:1].clone() for weights in self.own)

    def representation(self, x: Tensor) -> Tensor:
        """Return what each trunk makes of the rows."""
        first, first_bias, second, second_bias = (
            own + common for own, common in zip(self.own, self.common, strict=True)
        )
        hidden = F.linear(x, first.flatten(0, 1), first_bias.flatten()).relu()
        by_task = hidden.unflatten(1, first_bias.shape).transpose(0, 1)
        return torch.baddbmm(second_bias[:, None], by_task, second.transpose(1, 2)).relu()

    def penalty(self, x: Tensor) -> Tensor:
        """Return the squared distances from the mean."""
        distances = [(weights - weights.mean(0)).square().sum() for weights in self.own]
        return self.strength * torch.stack(distances).sum()


class MMoE(ByHand):
    """Four experts, and a gate for each task."""

    n_experts = 4

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make experts and gates."""
        self.first = Layers(self.n_experts, sizes.n_features, first)
        self.second = Layers(self.n_experts, first, second)
        self.gates = nn.Linear(sizes.n_features, sizes.n_tasks * self.n_gate_outputs)

    @property
    def n_gate_outputs(self) -> int:
        """Outputs of the gate of one task."""
        return self.n_experts

    def representation(self, x: Tensor) -> Tensor:
        """Return the mixture of each task."""
        experts = self.second(self.first.of_one(x).relu()).relu()
        return torch.einsum("rte,erw->trw", self.weights(x), experts)

    def weights(self, x: Tensor) -> Tensor:
        """Return how much each expert counts, (rows, tasks, experts)."""
        return self.outputs(x).softmax(-1)

    def outputs(self, x: Tensor) -> Tensor:
        """Return the outputs of the gates, (rows, tasks, outputs)."""
        outputs: Tensor = GATE_SCALE * self.gates(x)
        return outputs.unflatten(1, (self.n_tasks, -1))


class DSelectK(MMoE):
    """Four experts, of which each task selects two, by two bits each (Hazimeh et al. 2021)."""

    k, strength = 2, 0.01

    @property
    def n_gate_outputs(self) -> int:
        """Outputs of the gate of one task."""
        return self.k * 3

    def weights(self, x: Tensor) -> Tensor:
        """Return how much each expert counts, (rows, tasks, experts)."""
        alpha, bits = self.selected(x)
        of_codes = torch.stack([1 - bits, bits], dim=-1)
        codes = of_codes[..., 0, :, None] * of_codes[..., 1, None, :]
        return torch.einsum("rtk,rtkc->rtc", alpha, codes.flatten(-2))

    def selected(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of the selectors, (rows, tasks, k), and their bits, (rows, tasks, k, 2)."""
        outputs = self.outputs(x)
        t = outputs[..., self.k :].clamp(-0.5, 0.5)
        bits = 0.5 + t * (1.5 - 2 * t * t)
        return outputs[..., : self.k].softmax(-1), bits.unflatten(-1, (self.k, 2))

    def penalty(self, x: Tensor) -> Tensor:
        """Return the entropy of the bits, averaged over rows."""
        _, bits = self.selected(x)
        bits = bits.clamp(torch.finfo(bits.dtype).eps, 1 - torch.finfo(bits.dtype).eps)
        entropy = -(bits * bits.log() + (1 - bits) * (1 - bits).log())
        return self.strength * entropy.sum() / len(x)


class PLE(ByHand):
    """Two levels of an expert for each task and one for all (Tang et al. 2020)."""

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make experts and gates."""
        n_tasks = sizes.n_tasks
        self.own_first = Layers(n_tasks, sizes.n_features, first)
        self.own_second = Layers(n_tasks, first, second)
        self.shared_first = nn.Linear(sizes.n_features, first)
        self.shared_second = nn.Linear(first, second)
        self.first_gates = nn.Linear(sizes.n_features, n_tasks * 2)
        self.second_gates = Layers(n_tasks, first, 2)
        self.shared_gate = nn.Linear(sizes.n_features, n_tasks + 1)

    def representation(self, x: Tensor) -> Tensor:
        """Return what each task's gate extracts at the second level."""
        own, shared = self.own_first.of_one(x).relu(), self.shared_first(x).relu()
        gates = (GATE_SCALE * self.first_gates(x)).unflatten(1, (self.n_tasks, 2))
        gates = gates.softmax(-1).transpose(0, 1)
        by_task = gates[..., :1] * own + gates[..., 1:] * shared
        gate = (GATE_SCALE * self.shared_gate(x)).softmax(-1)
        for_all = torch.einsum("rt,trw->rw", gate[:, :-1], own) + gate[:, -1:] * shared
        gates = (GATE_SCALE * self.second_gates(by_task)).softmax(-1)
        own, shared = self.own_second(by_task).relu(), self.shared_second(for_all).relu()
        mixed: Tensor = gates[..., :1] * own + gates[..., 1:] * shared
        return mixed


class CrossStitch(Separate):
    """A trunk for each task, whose channels are mixed after each layer (Misra et al. 2016)."""

    start: Tensor

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make trunks that begin alike, and units, kept as their distance from the start."""
        super().build(sizes, first, second)
        n = sizes.n_tasks
        for weights in self.parameters():
            weights.data[1:] = weights.data[0]
        start = torch.full((n, n, 1), 0.1 / (n - 1))
        start[range(n), range(n)] = 0.9
        self.register_buffer("start", start)
        self.units = nn.ParameterList(torch.zeros(n, n, width) for width in (first, second))

    def representation(self, x: Tensor) -> Tensor:
        """Return what each task reads of all trunks."""
        hidden = self.mixed(self.first.of_one(x).relu(), self.units[0])
        return self.mixed(self.second(hidden).relu(), self.units[1])

    def mixed(self, hidden: Tensor, units: Tensor) -> Tensor:
        """Return activations mixed over tasks, (tasks, rows, width)."""
        units = self.start + units
        # The products of few tasks are faster written out: activations are not copied by channel.
        if len(units) <= 8:
            return (hidden * units[:, :, None]).sum(1)
        return torch.einsum("srw,tsw->trw", hidden, units)


class TaskAdapters(ByHand):
    """One trunk, the inputs and outputs of whose layers each task scales (rank 1)."""

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make the trunk and the scales."""
        widths = (sizes.n_features, first, second)
        self.adapted = nn.ModuleList(Adapted(sizes.n_tasks, *pair) for pair in pairwise(widths))

    def representation(self, x: Tensor) -> Tensor:
        """Return what the trunk makes of the rows of each task."""
        hidden = x
        for layer in self.adapted:
            hidden = layer(hidden).relu()
        return hidden


class Adapted(nn.Module):
    """A linear layer with scales of its own for each task, which are kept as their distance from 1."""

    def __init__(self, n_tasks: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.inputs = nn.Parameter(torch.zeros(n_tasks, 1, n_in))
        self.outputs = nn.Parameter(torch.zeros(n_tasks, 1, n_out))
        self.bias = nn.Parameter(torch.zeros(n_tasks, 1, n_out))
        self.layer = nn.Linear(n_in, n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of each task, (tasks, rows, n_out)."""
        return torch.addcmul(self.bias, self.layer(x * (1 + self.inputs)), 1 + self.outputs)


class TaskAttention(ByHand):
    """One trunk, of whose features each task's masks select (Liu, Johns & Davison 2019)."""

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make the trunk and the masks."""
        n = sizes.n_tasks
        self.first, self.second = nn.Linear(sizes.n_features, first), nn.Linear(first, second)
        self.of_first, self.first_mask = Layers(n, first, first), Layers(n, first, first)
        self.of_second, self.of_selected = Layers(n, second, second), Layers(n, second, second)
        self.second_mask = Layers(n, second, second)
        self.between = nn.Linear(first, second)

    def representation(self, x: Tensor) -> Tensor:
        """Return what each task selects of the second features."""
        features = self.first(x).relu()
        selected = self.first_mask(self.of_first.of_one(features).relu()).sigmoid() * features
        features = self.second(features).relu()
        hidden = self.of_second.of_one(features) + self.of_selected(self.between(selected).relu())
        return self.second_mask(hidden.relu()).sigmoid() * features


class Hierarchical(ByHand):
    """A common layer, and a second one for each of two groups, the even tasks and the odd ones."""

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make the layers."""
        self.first, self.second = nn.Linear(sizes.n_features, first), Layers(2, first, second)

    def representation(self, x: Tensor) -> Tensor:
        """Return the representation of each task's group."""
        branches = self.second.of_one(self.first(x).relu()).relu()
        return branches.repeat(-(-self.n_tasks // 2), 1, 1)[: self.n_tasks]


class Cascade(ByHand):
    """One trunk, beside whose representation all tasks but the first read what is predicted of it."""

    def build(self, sizes: Sizes, first: int, second: int) -> None:
        """Make the trunk."""
        # What is read counts as much as the whole representation.
        self.scale = second**0.5
        self.first, self.second = nn.Linear(sizes.n_features, first), nn.Linear(first, second)

    def head_width(self, sizes: Sizes) -> int:
        """Return one more than the representation has."""
        return sizes.hidden[-1] + 1

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, (rows, tasks)."""
        hidden = self.second(self.first(x).relu()).relu()
        weight = self.head.weight[:, 0]
        outputs = F.linear(hidden, weight[:, :-1], self.head.bias[:, 0])
        fed = self.scale * weight[1:, -1]
        return torch.cat([outputs[:, :1], outputs[:, 1:] + outputs[:, :1] * fed], dim=1)


#: By the short name of the way of sharing.
NETWORKS: dict[str, Callable[[Sizes], ByHand]] = {
    "hard": Hard,
    "separate": Separate,
    "soft": Soft,
    "cross_stitch": CrossStitch,
    "mmoe": MMoE,
    "dselect_k": DSelectK,
    "ple": PLE,
    "task_adapters": TaskAdapters,
    "task_attention": TaskAttention,
    "hierarchical": Hierarchical,
    "cascade": Cascade,
}


@torch.no_grad()
def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy the parameters of one network to another, which has as many in the same order.

    Parameters
    ----------
    source, target : nn.Module
        A network of the package and one written by hand, or the other way round.
    """
    for theirs, ours in zip(source.parameters(), target.parameters(), strict=True):
        ours.copy_(theirs.reshape(ours.shape))


def train(
    module: ByHand, X: Tensor, y: Tensor, *, epochs: int, batch_size: int, lr: float, weight_decay: float
) -> ByHand:
    """Train a network on the squared errors of all tasks by AdamW and return it.

    Parameters
    ----------
    module : ByHand
        The network.
    X : tensor of shape (n_rows, n_features)
        The rows.
    y : tensor of shape (n_rows, n_tasks)
        The labels, each of variance 1.
    epochs, batch_size : int
        Passes over the rows, and rows in each step.
    lr, weight_decay : float
        Settings of AdamW.
    """
    optimizer = torch.optim.AdamW(module.parameters(), lr=lr, weight_decay=weight_decay, fused=True)
    module.train()
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for rows in order.split(batch_size):
            optimizer.zero_grad()
            batch = X[rows]
            loss = (module(batch) - y[rows]).square().mean(0).sum() + module.penalty(batch)
            loss.backward()
            optimizer.step()
    return module.eval()
