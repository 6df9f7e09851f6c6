"""What kind of task labels look like, and the doubts about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["regression", "classification", "multilabel", "survival", "tokens", "segmentation"]


@dataclass(frozen=True)
class Guess:
    """The kind of task that labels look like, and the doubt about it.

    Parameters
    ----------
    kind : {"regression", "classification", "multilabel", "survival", "tokens", "segmentation"} or None
        None where the labels could be anything, so that the user must say the kind.
    doubt : str, default=""
        A description of labels whose kind is a close guess, or None; ``{}`` in it stands for ``found``.
    found : tuple of int, or of str or bytes, default=()
        The number of distinct values, where it matters, or the texts that may mean a missing value;
        guesses that differ in it alone are equal, so that one warning is raised for them.
    """

    kind: Kind | None
    doubt: str = ""
    found: tuple[int | str | bytes, ...] = field(default=(), compare=False, repr=False)


ZERO_ONE = Guess("classification", "floats of only 0 and 1")
WITH_GAPS = Guess("classification", "whole floats of few values with gaps, as pandas makes of integers")
WHOLE = Guess("regression", "floats of few values, all of them whole")
COUNTS = Guess("classification", "integers whose frequencies have one peak and a tail, as counts do")
ONE_HOT = Guess("multilabel", "exactly one 1 in each row, as classes in one-hot form do")
MISSING_MARKERS = Guess("classification", "text that marks a gap, {}, among its classes")
DISTINCT = Guess(None, "text of which nearly all is distinct")
NUMBERS = Guess(None, "text that reads as numbers")
INTEGER_BLOCK = Guess(None, "a two-dimensional block of other integers than 0 and 1")
OTHER_BLOCK = Guess(None, "a two-dimensional block of other labels than numbers")
OTHER_POSITIONS = Guess(None, "labels for each position that are neither text nor whole numbers")
OTHERS = Guess(None, "labels that are neither numbers nor text throughout, or integers beyond 64 bits")
