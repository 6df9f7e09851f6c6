"""The loop that somebody would write who knows CUDA graphs: everything on the card, one launch for a step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.by_hand import Loss, TwoHeads, scale_free_loss
from benchmarks.data import Data, Recipe

WARM_UP = 3


def fit(data: Data, recipe: Recipe) -> nn.Module:
    """Train a perceptron with two heads on a card and return it."""
    torch.manual_seed(recipe.seed)
    module = TwoHeads(data.n_features, data.n_classes, recipe.hidden).cuda()
    rows = [torch.from_numpy(array).cuda() for array in (data.X, data.number, data.code)]
    _Loop(module, scale_free_loss(data.entropy), rows, recipe).run()
    return module.eval()


class _Loop:
    """Full batches as a graph that is replayed, the last one of an epoch as it comes."""

    def __init__(self, module: nn.Module, loss: Loss, rows: list[Tensor], recipe: Recipe) -> None:
        self.module, self.loss, self.rows, self.recipe = module, loss, rows, recipe
        self.optimizer = torch.optim.AdamW(
            module.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True, capturable=True
        )
        self.batch = [tensor[: recipe.batch_size].clone() for tensor in rows]
        self.graph: torch.cuda.CUDAGraph | None = None
        self.n_steps = 0

    def run(self) -> None:
        """Train for all epochs."""
        for _ in range(self.recipe.epochs):
            order = torch.randperm(len(self.rows[0])).cuda()
            for start in range(0, len(order), self.recipe.batch_size):
                self.step(order[start : start + self.recipe.batch_size])

    def step(self, chosen: Tensor) -> None:
        """Make one step, given the numbers of its rows."""
        if len(chosen) < self.recipe.batch_size or self.n_steps < WARM_UP:
            self.n_steps += 1
            self.make([tensor[chosen] for tensor in self.rows])
            return
        for buffer, tensor in zip(self.batch, self.rows, strict=True):
            torch.index_select(tensor, 0, chosen, out=buffer)
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.make(self.batch)
        self.graph.replay()

    def make(self, batch: list[Tensor]) -> None:
        """Compute gradients, and move the weights."""
        X, number, code = batch
        self.optimizer.zero_grad()
        self.loss(self.module(X), number, code).backward()
        self.optimizer.step()
