"""Learned scales of the losses."""

from __future__ import annotations

from sklearn_mtl.balancing.learned_scales import LearnedScales


class IMTLL(LearnedScales):
    """Learned scales draw all scaled losses to one size, Σ w_t (L_t / e^{s_t} + s_t).

    The balance of losses of impartial multi-task learning (Liu et al. 2021, "Towards Impartial Multi-task
    Learning", IMTL-L, which has -s for s): where a scale has arrived, its loss by e^s is 1. Scales start at
    1. The user's weight w multiplies the whole term of a task, so that it changes nothing of where its scale
    goes to.

    Choose it where losses end far apart and all are to fall in proportion. Losses start near 1 here, so that
    at first it does nothing. It differs from `UncertaintyWeighting` in its constants alone.

    Parameters
    ----------
    lr : float, optional
        Learning rate of s; None for that of the network.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.balancing import IMTLL
    >>> IMTLL().fresh(2)(torch.tensor([1.0, 0.5]), torch.ones(2)).item()
    1.5
    """
