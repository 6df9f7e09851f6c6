"""Tags that mark spans of tokens, as BIO: which may follow which, and the most probable legal sequence."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor


@cache
def legal_tags(tags: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Return which tags may begin a sequence, and which may follow which.

    ``I-x`` continues a span of x, and follows ``B-x`` or ``I-x`` alone (Ramshaw & Marcus 1995, "Text chunking
    using transformation-based learning", in the form in which every span begins with B).

    Parameters
    ----------
    tags : tuple of str
        ``"O"``, ``"B-x"`` and ``"I-x"`` for spans of any kinds x.

    Returns
    -------
    first : tensor of bool, shape (n_tags,)
    after : tensor of bool, shape (n_tags, n_tags)
        Whether the tag of the column may follow that of the row.

    Examples
    --------
    >>> from sklearn_mtl.tasks.losses.spans import legal_tags
    >>> first, after = legal_tags(("B-city", "I-city", "O"))
    >>> first.tolist()
    [True, False, True]
    >>> after[2].tolist()
    [True, False, True]
    """
    continues = torch.tensor([tag.startswith("I-") for tag in tags])
    kinds = [tag[2:] for tag in tags]
    within = torch.tensor(
        [[before != "O" and one == other for other in kinds] for one, before in zip(kinds, tags, strict=True)]
    )
    return ~continues, ~continues | within


def best_legal_tags(probability: Tensor, tags: tuple[str, ...]) -> Tensor:
    """Return the legal sequence of the largest product of probabilities (Viterbi 1967).

    Parameters
    ----------
    probability : tensor of shape (rows, steps, n_tags)
        NaN in the steps that a row does not have, at its end; what they are given means nothing.
    tags : tuple of str
        The tags, as `legal_tags` takes them.

    Returns
    -------
    tensor of int64, shape (rows, steps)
        The place of each step's tag.

    Examples
    --------
    >>> import torch
    >>> from sklearn_mtl.tasks.losses.spans import best_legal_tags
    >>> probability = torch.tensor([[[0.4, 0.1, 0.5], [0.1, 0.7, 0.2]]])
    >>> best_legal_tags(probability, ("B-city", "I-city", "O")).tolist()
    [[0, 1]]
    """
    n_rows, n_steps, _ = probability.shape
    if n_steps == 0:
        return torch.zeros((n_rows, 0), dtype=torch.int64, device=probability.device)
    smallest = torch.finfo(probability.dtype).tiny
    log = probability.nan_to_num(1.0).clamp_min(smallest).log()
    first, after = (mask.to(probability.device) for mask in legal_tags(tags))
    forbidden = torch.zeros_like(after, dtype=log.dtype).masked_fill(~after, -torch.inf)
    best = log[:, 0].masked_fill(~first, -torch.inf)
    before = []
    for step in range(1, n_steps):
        best, place = (best.unsqueeze(2) + forbidden).max(1)
        before.append(place)
        best = best + log[:, step]
    found = [best.argmax(1)]
    for place in reversed(before):
        found.append(place.gather(1, found[-1].unsqueeze(1))[:, 0])
    return torch.stack(found[::-1], dim=1)
