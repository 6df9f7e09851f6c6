"""Balancing methods: those of the package, and two as a user would write them, on the bases alone."""

import torch
from torch import nn

from sklearn_mtl.balancing import (
    DTP,
    DWA,
    FAMO,
    GLS,
    IMTLL,
    RLW,
    STCH,
    Balancer,
    GradientBalancer,
    UncertaintyWeighting,
)


class GradNorm(Balancer):
    """Learned weights by which the gradients of the last shared layer have norms alike (Chen et al. 2018)."""

    def __init__(self, alpha=1.5, rate=0.025):
        super().__init__()
        self.alpha = alpha
        self.rate = rate

    def start(self, n_tasks):
        self.weight = nn.Parameter(torch.ones(n_tasks))
        self.register_buffer("first", torch.zeros(n_tasks))

    def param_groups(self):
        return [{"params": [self.weight], "lr": self.rate, "weight_decay": 0.0}]

    def backward(self, losses, weights, penalty, shared):
        layer = list(shared)[-2:]
        norms = []
        for task in torch.eye(len(weights)).to(losses.values):
            found = torch.autograd.grad(losses.raw, layer, losses.gradient(task), retain_graph=True)
            norms.append(torch.cat([gradient.flatten() for gradient in found]).norm())
        norms = torch.stack(norms) * weights
        self.first.copy_(torch.where(self.first > 0, self.first, losses.values))
        pace = losses.values / self.first.clamp_min(1e-8)
        with torch.no_grad():
            target = (norms * self.weight).mean() * (pace / pace.mean()) ** self.alpha
        (self.weight * norms - target).abs().sum().backward()
        counted = weights * self.weight.detach()
        losses.raw.backward(losses.gradient(counted))
        return losses.values @ counted


class Projected(GradientBalancer):
    """Gradients without what runs against those of other tasks (Yu et al. 2020, in a fixed order)."""

    def forward(self, gradients, losses, weights):
        weighted = gradients * weights[:, None]
        freed = []
        for own in weighted:
            for other in weighted:
                own = own - (own @ other).clamp_max(0) / (other @ other).clamp_min(1e-12) * other
            freed.append(own)
        return torch.stack(freed).sum(0)


METHODS = [
    UncertaintyWeighting(),
    UncertaintyWeighting(lr=0.1),
    IMTLL(),
    GLS(),
    DWA(),
    RLW(),
    FAMO(),
    STCH(),
    DTP(),
    GradNorm(),
    Projected(),
]
