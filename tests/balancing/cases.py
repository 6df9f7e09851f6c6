"""Every method of balancing, and which laws it keeps: a line each in the table below.

The laws are tested in ``tests/balancing/test_laws.py``, and what holds in a fit in
``tests/contract/test_balancing.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sklearn_mtl.balancing import (
    BALANCERS,
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
    Balancer,
    CAGrad,
    ConFIG,
    DualProj,
    ExcessMTL,
    FairGrad,
    GradDrop,
    GradNorm,
    GradVac,
    NashMTL,
    PCGrad,
    StaticWeights,
    UncertaintyWeighting,
    UPGrad,
    WeightSchedule,
)


@dataclass(frozen=True, eq=False)
class Case:
    """A method of balancing.

    A law speaks of rates: by how much the gradient of each task's loss is multiplied.

    Parameters
    ----------
    recipe : Balancer
        The method.
    grid : dict of str to list
        One of its parameters, with two values that make a difference.
    not_stacked : str
        Words of the reason for which its nets are in no stack.
    adds_up : bool
        Whether the rates add up to the number of tasks that take part; if not, they do not.
    rescaled, settled : float or None
        Where the loss of a task is multiplied by c, its rate is multiplied by c to this power, relative to
        those of the others: at the first step, and when what the method learns has settled. None stands for
        something that is no power of c.
    never_against : bool
        Whether a step never goes against the gradient of a task; if not, there are gradients where it does.
    by_chance : bool
        Whether it draws random numbers; laws that speak of rates then hold in the mean.
    alone : float
        The rate of a task that is the only one, at the first step.
    same_for_equal : bool
        Whether tasks of equal losses, and gradients alike, have equal rates.
    of_gradients : bool
        Whether it needs parameters that several tasks share.
    by_place : bool
        Whether the order of the tasks makes a difference.
    adapts : bool
        Whether the weights of ``history_`` are others than the user's.
    """

    recipe: Balancer
    grid: dict[str, list[Any]] = field(default_factory=dict)
    not_stacked: str = ""
    adds_up: bool = False
    rescaled: float | None = 0.0
    settled: float | None = 0.0
    never_against: bool = False
    by_chance: bool = False
    alone: float = 1.0
    same_for_equal: bool = True
    of_gradients: bool = False
    by_place: bool = False
    adapts: bool = True

    def __str__(self) -> str:
        return SHORT_NAMES.get(type(self.recipe), type(self.recipe).__name__)


OfGradients = partial(Case, of_gradients=True, not_stacked="balances gradients")
POWERS = {0.0: "stays", -1.0: "/ c", -2.0: "/ c²", None: "other"}


def laws_of(case: Case) -> str:
    """What the page on balancing says of a method in its table of laws."""
    when = [POWERS[power] for power in (case.rescaled, case.settled)]
    cells = [
        f'`"{case}"`' if type(case.recipe) in SHORT_NAMES else f"`{case}`",
        "yes" if case.adds_up else "no",
        when[0] if when[0] == when[1] else " → ".join(when),
        "never" if case.never_against else "may",
    ]
    return f"| {' | '.join(cells)} |"


SHORT_NAMES = {of: name for name, of in BALANCERS.items()}
CASES = [
    Case(StaticWeights(), adds_up=True, adapts=False),
    # By losses.
    Case(UncertaintyWeighting(), {"lr": [0.01, 1.0]}, settled=-1.0, alone=0.5),
    Case(IMTLL(), {"lr": [0.01, 1.0]}, settled=-1.0),
    Case(GLS(), rescaled=-1.0, settled=-1.0),
    Case(FAMO(), {"lr": [0.01, 1.0]}, adds_up=True, rescaled=-1.0, settled=-1.0),
    Case(DWA(), {"temperature": [0.1, 10.0]}, adds_up=True),
    Case(RLW(), {"distribution": ["normal", "dirichlet"]}, adds_up=True, by_chance=True, adapts=False),
    Case(STCH(), {"mu": [0.05, 5.0]}, adds_up=True, rescaled=None, settled=None),
    Case(DTP(), {"gamma": [0.5, 3.0]}, settled=None),
    Case(
        WeightSchedule({"regression0": [0.5, 2.0]}),
        {"weights": [{"regression0": [0.5, 2.0]}, {"regression0": [5.0, 1.0]}]},
        same_for_equal=False,
        alone=0.5,
    ),
    # By losses and gradients.
    OfGradients(GradNorm(), {"alpha": [0.0, 3.0]}, adds_up=True, settled=-1.0),
    OfGradients(ExcessMTL(0.1, 1), {"step_size": [0.05, 1.0]}, adds_up=True),
    # By gradients alone.
    OfGradients(PCGrad(), by_chance=True),
    OfGradients(GradVac(), {"beta": [0.1, 0.9]}, by_chance=True),
    OfGradients(GradDrop(), {"leak": [0.0, 0.9]}, by_chance=True, adapts=False),
    OfGradients(UPGrad(), {"at": ["parameters", "representation"]}, never_against=True),
    OfGradients(DualProj(), never_against=True),
    OfGradients(
        MGDA(),
        {"at": ["parameters", "representation"]},
        adds_up=True,
        rescaled=-2.0,
        settled=-2.0,
        never_against=True,
    ),
    OfGradients(CAGrad(), {"c": [0.1, 2.0]}, rescaled=None, settled=None),
    OfGradients(ConFIG(), rescaled=-1.0, settled=-1.0, never_against=True),
    OfGradients(IMTLG(), adds_up=True, rescaled=-1.0, settled=-1.0),
    OfGradients(AlignedMTL(), {"scale_mode": ["min", "rmse"]}, rescaled=-1.0, settled=-1.0),
    OfGradients(NashMTL(), {"max_norm": [0.001, 10.0]}, rescaled=-1.0, settled=-1.0, never_against=True),
    OfGradients(FairGrad(), {"alpha": [0.5, 3.0]}, rescaled=-1.0, settled=-1.0, never_against=True),
    OfGradients(
        PCD(),
        {"tau": [0.02, 0.9]},
        rescaled=-1.0,
        settled=-1.0,
        same_for_equal=False,
        by_place=True,
    ),
]
