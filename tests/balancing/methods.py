"""Balancing methods of the literature, written as a user would: on the bases alone."""

import torch
from torch import nn

from sklearn_mtl.balancing import Balancer, GradientBalancer, LossBalancer


class Uncertainty(LossBalancer):
    """Learned log-variances (Kendall, Gal & Cipolla 2018, eq. 7)."""

    def __init__(self, start_at=0.0):
        super().__init__()
        self.start_at = start_at

    def start(self, n_tasks):
        self.log_variance = nn.Parameter(torch.full((n_tasks,), float(self.start_at)))

    def forward(self, losses, weights):
        return (weights * ((-self.log_variance).exp() * losses + self.log_variance)).sum()


class FastUncertainty(Uncertainty):
    """The same with a learning rate of its own."""

    def __init__(self, start_at=0.0, rate=0.1):
        super().__init__(start_at)
        self.rate = rate

    def param_groups(self):
        return [{"params": [self.log_variance], "lr": self.rate, "weight_decay": 0.0}]


class IMTLL(LossBalancer):
    """Learned scales that draw the scaled losses together (Liu et al. 2021, eq. 8)."""

    def start(self, n_tasks):
        self.scale = nn.Parameter(torch.zeros(n_tasks))

    def forward(self, losses, weights):
        return (weights * (self.scale.exp() * losses - self.scale)).sum()


class GLS(LossBalancer):
    """The geometric mean of the losses (Chennupati et al. 2019, eq. 5)."""

    def forward(self, losses, weights):
        return ((losses + 1e-8).log() * weights / weights.sum()).sum().exp()


class DWA(LossBalancer):
    """Weights by how slowly each loss fell over the last two epochs (Liu, Johns & Davison 2019, eq. 7)."""

    def __init__(self, temperature=2.0):
        super().__init__()
        self.temperature = temperature

    def start(self, n_tasks):
        self.register_buffer("last", torch.ones(n_tasks))
        self.register_buffer("rate", torch.ones(n_tasks))

    def end_epoch(self, losses):
        # A task without a label in the epoch keeps its last loss.
        losses = torch.where(losses.isnan(), self.last, losses.to(self.last))
        self.rate.copy_(losses / self.last.clamp_min(1e-8))
        self.last = losses.clone()

    def effective_weights(self, losses, weights):
        return weights * len(weights) * (self.rate / self.temperature).softmax(0)

    def forward(self, losses, weights):
        return losses @ self.effective_weights(losses, weights)


class RLW(LossBalancer):
    """Weights drawn at each step (Lin et al. 2022)."""

    def __init__(self, spread=1.0):
        super().__init__()
        self.spread = spread

    def forward(self, losses, weights):
        return losses @ (weights * len(weights) * (self.spread * torch.randn_like(weights)).softmax(0))


class FAMO(LossBalancer):
    """Weights by which every loss falls at one pace (Liu et al. 2023, algorithm 1)."""

    def __init__(self, rate=0.5, decay=0.001):
        super().__init__()
        self.rate = rate
        self.decay = decay

    def start(self, n_tasks):
        self.register_buffer("logits", torch.zeros(n_tasks))
        self.register_buffer("before", torch.ones(n_tasks))

    def forward(self, losses, weights):
        self.before.copy_(losses.detach())
        share = self.logits.softmax(0) * weights
        scale = (share / (losses + 1e-8)).sum().detach()
        return (share * (losses + 1e-8).log()).sum() / scale

    def after_step(self, losses):
        fallen = (self.before + 1e-8).log() - (losses() + 1e-8).log()
        share = self.logits.softmax(0)
        slope = share * (fallen - share @ fallen)
        self.logits = self.logits - self.rate * (slope + self.decay * self.logits)


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
    Uncertainty(),
    FastUncertainty(),
    IMTLL(),
    GLS(),
    DWA(),
    RLW(),
    FAMO(),
    GradNorm(),
    Projected(),
]
