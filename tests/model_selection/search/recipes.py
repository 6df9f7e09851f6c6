"""Trunks, ways of sharing, balancing methods and losses that a stacked search must train as a plain one does.

A new recipe is listed in `CASES`, once, with two values of each of its numeric parameters.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from sklearn_mtl import MultiInput
from sklearn_mtl.balancing import (
    DTP,
    DWA,
    FAMO,
    GLS,
    IMTLG,
    IMTLL,
    MGDA,
    PCD,
    RLW,
    STCH,
    AlignedMTL,
    CAGrad,
    ConFIG,
    DualProj,
    ExcessMTL,
    FairGrad,
    GradDrop,
    GradNorm,
    GradVac,
    LossBalancer,
    NashMTL,
    PCGrad,
    StaticWeights,
    UncertaintyWeighting,
    UPGrad,
    WeightSchedule,
)
from sklearn_mtl.sharing import (
    PLE,
    Cascade,
    CrossStitch,
    DSelectK,
    HardSharing,
    Hierarchical,
    MMoE,
    SeparateTrunks,
    Sharing,
    SharingModule,
    SoftSharing,
    TaskAdapters,
    TaskAttention,
)
from sklearn_mtl.tasks import Classification, PointLoss, Regression
from sklearn_mtl.trunks import (
    CNN,
    MLP,
    RNN,
    TCN,
    BagOfTokens,
    FTTransformer,
    Fusion,
    ModuleTrunk,
    ResNet,
    TabM,
    TextCNN,
    TextEncoder,
    TransformerEncoder,
)
from tests.balancing.methods import Projected

EXTENDING = Path(__file__).parents[3] / "docs" / "extending.md"


def classes_of_page(page: Path = EXTENDING) -> dict[str, Any]:
    """The classes that a page of docs/ defines, and what it imports."""
    text = page.read_text(encoding="utf-8")
    blocks = [block.partition("\n```")[0] for block in text.split("```python\n")[1:]]
    # A dataclass looks up the module that it is defined in.
    module = sys.modules.setdefault("extending", ModuleType("extending"))
    for block in blocks:
        kept = [
            node
            for node in ast.parse(block).body
            if isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef | ast.FunctionDef)
        ]
        exec(compile(ast.Module(kept, []), str(page), "exec"), vars(module))
    return vars(module)


PAGE = classes_of_page()


@dataclass(frozen=True, eq=False)
class Case:
    """A recipe, and what of it is searched.

    ``not_stacked`` has words of the reason for which its nets are in no stack, ``row_shape`` is that of rows
    which it takes where these are none of a table, ``of_texts`` says that it takes texts, and ``of_several``
    that it takes several inputs.
    """

    parameter: str
    recipe: Any
    grid: dict[str, list[Any]] = field(default_factory=dict)
    not_stacked: str | None = None
    row_shape: tuple[int, ...] = (4,)
    of_texts: bool = False
    of_several: bool = False

    def rows(self, X: np.ndarray) -> Any:
        """Rows that the recipe takes, of a table of four columns."""
        if self.of_several:
            return MultiInput({"image": X[:, :2].reshape(-1, 1, 2, 1), "table": X[:, 2:]})
        if not self.of_texts:
            return X.reshape(len(X), *self.row_shape)
        return [
            " ".join(f"{name}{round(value)}" for name, value in zip("abcd", row, strict=True)) for row in X
        ]

    def __str__(self) -> str:
        return type(self.recipe).__name__


class Penalised(Sharing):
    """A trunk for each task, drawn together by a penalty."""

    def __init__(self, strength=0.1):
        self.strength = strength

    def build(self, make_trunk, tasks, spec):
        return PenalisedModule([make_trunk() for _ in tasks], self.strength)


class PenalisedModule(SharingModule):
    def __init__(self, trunks, strength):
        super().__init__(trunks[0].width, trunks[0].members, per_task=True)
        self.trunks = nn.ModuleList(trunks)
        self.strength = strength

    def forward(self, inputs, heads):
        return torch.stack([trunk(inputs) for trunk in self.trunks], dim=2)

    def shared_parameters(self):
        return self.trunks.parameters()

    def penalty(self, inputs, weight):
        of_tasks = zip(*(trunk.parameters() for trunk in self.trunks), strict=True)
        return self.strength * sum(torch.stack(weights).var(0).sum() for weights in of_tasks)


class ReversedGradient(MLP):
    """A perceptron that is trained against the tasks: its outputs are the same whatever the factor."""

    def __init__(self, hidden_sizes=(6,), *, factor=0.1):
        super().__init__(hidden_sizes)
        self.factor = factor

    def build(self, spec, statistics):
        trunk = super().build(spec, statistics)
        trunk.stages.append(Reverse(self.factor))
        return trunk


class Reverse(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, hidden):
        return (1 + self.factor) * hidden.detach() - self.factor * hidden


class HiddenInAFunction(LossBalancer):
    """What it does is in a function of its own, which nothing can be read off."""

    def __init__(self, temperature=1.0):
        super().__init__()
        self.temperature = temperature

    def start(self, n_tasks):
        temperature = self.temperature
        self.function = lambda losses: temperature * torch.logsumexp(losses / temperature, dim=0)

    def forward(self, losses, weights):
        return self.function(losses * weights)


class BufferInForward(LossBalancer):
    """Weighs by the losses of the step before."""

    def __init__(self, power=1.0):
        super().__init__()
        self.power = power

    def start(self, n_tasks):
        self.register_buffer("last", torch.ones(n_tasks))

    def forward(self, losses, weights):
        share = (self.last.clamp_min(0.1) ** self.power).detach()
        self.last = losses.detach().clone()
        return (losses * weights * share).sum()


class BufferAtTheEndOfAnEpoch(BufferInForward):
    """Weighs by the losses of the epoch before."""

    def end_epoch(self, losses):
        self.last = losses.nan_to_num(1.0).clone()

    def forward(self, losses, weights):
        return (losses * weights * self.last.clamp_min(0.1) ** self.power).sum()


class ListAtTheEndOfAnEpoch(LossBalancer):
    """Weighs by how many epochs there were, which it counts in a list."""

    def __init__(self, rate=1.0):
        super().__init__()
        self.rate = rate
        self.epochs = []

    def end_epoch(self, losses):
        self.epochs.append(losses)

    def forward(self, losses, weights):
        return (losses * weights).sum() / (1 + self.rate * len(self.epochs)) + losses[0]


class Counting(MLP):
    """Its module counts its steps in a plain attribute."""

    def __init__(self, hidden_sizes=(6,), *, rate=0.5):
        super().__init__(hidden_sizes)
        self.rate = rate

    def build(self, spec, statistics):
        trunk = super().build(spec, statistics)
        trunk.stages.append(Count(self.rate))
        return trunk


class Count(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate
        self.steps = 0

    def forward(self, hidden):
        self.steps += self.training
        return hidden * (1 + self.rate * self.steps)


@dataclass(frozen=True)
class Tilted(PointLoss):
    """Costs more on one side than on the other."""

    tilt: float = 1.0

    def __call__(self, raw, y):
        error = raw[..., 0] - y
        return error.square() * torch.where(error > 0, self.tilt, 1.0)


class TiltedInSilence(Tilted):
    """Tilts by what is no field of it, which tells it apart all the same."""

    def __init__(self, tilt):
        super().__init__()
        object.__setattr__(self, "silent", tilt)

    def __call__(self, raw, y):
        return Tilted(self.silent)(raw, y)


def linear(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Linear(4, 6)


CASES = [
    # Shipped.
    Case("trunk", MLP((6,)), {"hidden_sizes": [(6,), (4,)], "dropout": [0.1, 0.4]}),
    Case(
        "trunk",
        TabM((6,), members=2),
        {
            "hidden_sizes": [(6,), (4,)],
            "members": [2, 3],
            "dropout": [0.1, 0.4],
            "n_bins": [3, 5],
            "embedding_size": [2, 3],
        },
    ),
    Case(
        "trunk",
        FTTransformer(6, heads=2),
        {
            "width": [6, 4],
            "blocks": [1, 2],
            "heads": [1, 2],
            "hidden_factor": [1.0, 2.0],
            "attention_dropout": [0.1, 0.4],
            "dropout": [0.1, 0.4],
            "residual_dropout": [0.1, 0.4],
            "task_tokens": [False, True],
        },
    ),
    Case(
        "trunk",
        ResNet(6),
        {
            "width": [6, 4],
            "blocks": [1, 2],
            "hidden_factor": [1.0, 2.0],
            "dropout": [0.1, 0.4],
            "residual_dropout": [0.1, 0.4],
        },
    ),
    Case(
        "trunk",
        RNN(hidden_size=5),
        {
            "cell": ["lstm", "gru"],
            "hidden_size": [5, 4],
            "layers": [1, 2],
            "bidirectional": [False, True],
            "pooling": ["last", "attention"],
            "dropout": [0.1, 0.4],
        },
        not_stacked="torch's LSTM is computed for one net at a time",
        row_shape=(4, 1),
    ),
    Case(
        "trunk",
        TCN(5),
        {
            "width": [5, 4],
            "blocks": [1, 2],
            "kernel_size": [2, 3],
            "causal": [False, True],
            "pooling": ["mean", "max"],
            "dropout": [0.1, 0.4],
        },
        row_shape=(4, 1),
    ),
    Case(
        "trunk",
        TransformerEncoder(6, heads=2),
        {
            "width": [6, 4],
            "blocks": [1, 2],
            "heads": [1, 2],
            "hidden_factor": [1.0, 2.0],
            "pooling": ["mean", "attention"],
            "dropout": [0.1, 0.4],
        },
        row_shape=(4, 1),
    ),
    Case(
        "trunk",
        CNN((4,), pooled_size=2, hidden_sizes=(5,)),
        {
            "channels": [(4,), (4, 16)],
            "blocks": [1, 2],
            "stride": [1, 2],
            "pooled_size": [1, 2],
            "hidden_sizes": [(5,), (4,)],
            "dropout": [0.1, 0.4],
        },
        not_stacked="on a CPU, CNNs are no faster together",
        row_shape=(1, 2, 2),
    ),
    Case(
        "trunk",
        TextEncoder(embedding_size=6),
        {"encoder": ["bag", BagOfTokens("mean")], "embedding_size": [6, 4], "dropout": [0.1, 0.4]},
        of_texts=True,
    ),
    Case(
        "trunk",
        TextEncoder(TextCNN(5, kernel_sizes=(1, 2)), embedding_size=6),
        {
            "encoder__channels": [5, 4],
            "encoder__kernel_sizes": [(1, 2), (2,)],
            "encoder__pooling": ["max", "attention"],
            "encoder__dropout": [0.1, 0.4],
            "embedding_size": [6, 4],
            "dropout": [0.1, 0.4],
        },
        of_texts=True,
    ),
    Case(
        "trunk",
        Fusion({"image": MLP((4,)), "table": "mlp"}, fusion="gated", hidden_sizes=(6,), width=8),
        {
            "fusion": ["concat", "gated", "attention"],
            "hidden_sizes": [(6,), (4,)],
            "width": [8, 4],
            "dropout": [0.1, 0.4],
            "image__hidden_sizes": [(4,), (3,)],
        },
        of_several=True,
    ),
    Case("trunk", ModuleTrunk(linear(0)), {"module": [linear(0), linear(1)], "lr_scale": [0.1, 0.5]}),
    Case("sharing", HardSharing()),
    Case("sharing", SeparateTrunks()),
    Case("sharing", SoftSharing(), {"strength": [0.01, 3.0], "penalty": ["l2", "orthogonal"]}),
    # A larger strength drives singular values to 0, where the slope of the norm magnifies rounding.
    Case("sharing", SoftSharing("trace_norm"), {"strength": [0.01, 0.1]}),
    Case("sharing", CrossStitch()),
    Case("sharing", TaskAdapters(1), {"rank": [1, 2]}),
    Case("sharing", TaskAttention(4), {"hidden_size": [3, 4]}),
    Case(
        "sharing",
        Hierarchical([["regression0", "binary0"], ["multiclass0"]]),
        {"common_stages": [0, 1]},
    ),
    Case("sharing", Cascade({"multiclass0": "binary0"}), {"detach": [False, True]}),
    Case("sharing", MMoE(2), {"experts": [2, 3]}),
    Case("sharing", Cascade(["regression0", "multiclass0", "binary0"])),
    Case("sharing", PLE(1), {"levels": [1, 2], "shared_experts": [1, 2], "task_experts": [1, 2]}),
    Case(
        "sharing",
        DSelectK(3, 2),
        {"experts": [2, 3], "k": [1, 2], "gamma": [0.5, 2.0], "entropy": [0.0, 0.5]},
    ),
    Case("balancing", StaticWeights()),
    Case("balancing", GradNorm(), {"alpha": [0.1, 3.0], "lr": [0.01, 0.5]}, not_stacked="balances gradients"),
    Case(
        "balancing",
        ExcessMTL(0.3, 1),
        {"step_size": [0.1, 5.0], "warmup_epochs": [1, 2]},
        not_stacked="balances gradients",
    ),
    Case("balancing", UncertaintyWeighting(), {"lr": [0.01, 1.0]}),
    Case("balancing", IMTLL(), {"lr": [0.01, 1.0]}),
    Case("balancing", GLS()),
    Case("balancing", DWA(), {"temperature": [0.1, 10.0]}),
    Case("balancing", RLW(), {"distribution": ["normal", "dirichlet"]}),
    Case("balancing", FAMO(), {"lr": [0.1, 5.0], "decay": [0.0, 1.0]}),
    Case("balancing", STCH(), {"mu": [0.01, 1.0], "reference": [None, {"binary0": 0.5}]}),
    Case("balancing", DTP(), {"gamma": [0.5, 3.0], "alpha": [0.1, 1.0]}),
    Case(
        "balancing",
        WeightSchedule({}),
        {"weights": [{"binary0": [0.5, 2.0]}, {"regression0": [0, 1], "multiclass0": 0.1}]},
    ),
    *(
        Case("balancing", recipe, grid, not_stacked="balances gradients")
        for recipe, grid in (
            (AlignedMTL(), {"scale_mode": ["min", "rmse"]}),
            (CAGrad(), {"c": [0.1, 2.0]}),
            (ConFIG(), {}),
            (DualProj(), {}),
            (FairGrad(), {"alpha": [0.5, 3.0]}),
            (GradDrop(), {"leak": [0.0, 0.9]}),
            (GradVac(), {"beta": [0.1, 0.9]}),
            (IMTLG(), {}),
            (MGDA(), {"at": ["parameters", "representation"]}),
            (NashMTL(), {"max_norm": [0.001, 10.0]}),
            (PCD(), {"tau": [0.02, 0.9], "beta": [0.5, 0.999]}),
            (PCGrad(), {}),
            (UPGrad(), {"at": ["parameters", "representation"]}),
        )
    ),
    Case("trunk", ModuleTrunk(linear(0), frozen=True), {"module": [linear(0), linear(1)]}),
    Case("tasks__regression0", Regression("huber"), {"delta": [0.2, 2.0]}),
    Case("tasks__multiclass0", Classification("focal"), {"label_smoothing": [0.0, 0.3]}),
    # Of docs/extending.md.
    Case("trunk", PAGE["Sines"](6), {"width": [6, 4]}),
    Case("sharing", PAGE["Lent"](), {"start": [0.1, 0.9]}),
    Case("balancing", PAGE["SoftWorst"](), {"temperature": [0.01, 1.0, 100.0]}),
    Case("balancing", PAGE["Uncertainty"](), {"rate": [0.01, 1.0]}),
    Case("balancing", PAGE["FAMO"](), {"rate": [0.1, 5.0], "decay": [0.0, 1.0]}),
    # What a recipe of a user's may be.
    Case("sharing", Penalised(), {"strength": [0.01, 3.0]}),
    Case("trunk", ReversedGradient(), {"factor": [0.1, 3.0]}),
    Case("balancing", Projected(), not_stacked="balances gradients"),
    Case("balancing", BufferAtTheEndOfAnEpoch(), {"power": [0.5, 2.0]}),
    Case("balancing", HiddenInAFunction(), {"temperature": [0.01, 100.0]}),
    Case("balancing", BufferInForward(), {"power": [0.5, 2.0]}),
    Case("balancing", ListAtTheEndOfAnEpoch(), {"rate": [0.1, 1.0]}, not_stacked="its attribute 'epochs'"),
    Case("tasks__regression0", Regression(Tilted()), {"loss": [Tilted(0.1), Tilted(3.0)]}),
    Case(
        "tasks__regression0",
        Regression(TiltedInSilence(1.0)),
        {"loss": [TiltedInSilence(0.1), TiltedInSilence(3.0)]},
    ),
    Case("trunk", Counting(), {"rate": [0.1, 0.5]}, not_stacked="attribute 'sharing.trunk.stages.1.steps'"),
]
