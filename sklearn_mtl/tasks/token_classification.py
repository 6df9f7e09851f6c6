"""Token classification: a class for each step of a sequence or token of a text."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from sklearn_mtl.caller_warning import warn_caller
from sklearn_mtl.messages import shown
from sklearn_mtl.targets import Column, PositionColumn, positions_of
from sklearn_mtl.tasks.class_task import ClassTask
from sklearn_mtl.tasks.losses.classification import ClassLoss
from sklearn_mtl.tasks.losses.positions import PositionLoss, SpanLoss
from sklearn_mtl.tasks.losses.spans import legal_tags
from sklearn_mtl.tasks.position_task import PositionKind, PositionTask, accuracy

BEGINNINGS = ("B-", "I-")


@dataclass(frozen=True, eq=False)
class TokenTask(PositionTask):
    """A token classification whose labels were seen."""

    kind: ClassVar[str] = "tokens"

    def _scored(
        self, column: PositionColumn, true: np.ndarray, found: np.ndarray, weight: np.ndarray
    ) -> float:
        if self.scoring == "token_accuracy":
            return accuracy(true, found, weight)
        # A span of which a part is not known can't be compared.
        rows = np.flatnonzero(column.complete & (weight > 0).any(axis=1))
        lengths, coded = column.lengths, self.of_position.coded
        labels = [column.values[row, : lengths[row]].tolist() for row in rows]
        tags = [coded[found[row, : lengths[row]]].tolist() for row in rows]
        return span_f1(labels, tags) if labels else float("nan")


class TokenClassification(PositionKind):
    """A class for each step of a sequence or token of a text, such as its part of speech.

    Labels are a list or an array of objects that holds a list or an array for each row, as long as the row,
    or an array of shape (n_rows, steps) where all rows are of one length. A label that is missing is None or
    NaN; a row without labels is None.

    Parameters
    ----------
    loss, class_weight, label_smoothing
        As in `Classification`, of each step.
    scheme : {None, "bio"}, default=None
        ``"bio"`` says that labels mark spans: ``"B-x"`` the first token of one of kind x, ``"I-x"`` the
        others, ``"O"`` those outside of any. Predictions are then sequences in which ``"I-x"`` follows
        ``"B-x"`` or ``"I-x"`` alone, the most probable of these by the probabilities of the tokens. Labels
        must be so too (IOB2): a span without ``"B-x"`` can't be predicted, and is warned of.
    scoring : {"token_accuracy", "span_f1"}, default="token_accuracy"
        What ``score`` returns: the share of tokens that are right, or the F1 of whole spans, which takes
        seqeval (``pip install seqeval``). Rows of which a label is missing do not count for that, and all
        others count alike.

    Examples
    --------
    >>> from sklearn_mtl.tasks import TokenClassification
    >>> TokenClassification(scheme="bio")
    TokenClassification(scheme='bio')
    """

    kind: ClassVar[str] = "tokens"
    scorings: ClassVar[tuple[str, ...]] = ("token_accuracy", "span_f1")

    def __init__(
        self,
        loss: str | ClassLoss = "cross_entropy",
        *,
        class_weight: str | Mapping[Any, float] | None = None,
        label_smoothing: float = 0.0,
        scheme: Literal["bio"] | None = None,
        scoring: str = "token_accuracy",
    ) -> None:
        self.loss = loss
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.scheme = scheme
        self.scoring = scoring

    def bind(self, column: Column, weight: np.ndarray, classes: Any = None) -> TokenTask:
        """Return the task for the labels of the training rows."""
        if self.scheme is not None and not (isinstance(self.scheme, str) and self.scheme == "bio"):
            raise ValueError(
                f"`scheme` of TokenClassification must be None or 'bio'. Found {shown(self.scheme)}."
            )
        given = positions_of(column)
        if len(given.axes) != 1:
            raise ValueError(
                f"Task {shown(column.name)} is of tokens and needs a list of labels for each row. "
                f"Found labels of shape {(len(given), *given.axes)}; an image of labels is a 'segmentation'."
            )
        of_position = self.of_position(given, weight, classes)
        if self.scoring == "span_f1":
            _seqeval()
        loss = self._loss(of_position, given)
        held = (column.name, loss, given.values.shape[1], True, given.dtype, of_position)
        return TokenTask(*held, given.axes, given.ragged, self.scoring)

    def _loss(self, of_position: ClassTask, given: PositionColumn) -> PositionLoss:
        if self.scheme is None:
            return PositionLoss(of_position.loss, of_position.name)
        tags = of_position.coded.tolist()
        wrong = [tag for tag in tags if not (isinstance(tag, str) and (tag == "O" or tag[:2] in BEGINNINGS))]
        if wrong:
            raise ValueError(
                f"The labels of task {shown(of_position.name)} with scheme='bio' must be 'O', or 'B-' or "
                f"'I-' and the kind of the span. Found {shown(wrong[:5])}."
            )
        without = [tag for tag in tags if tag[:2] == "I-" and "B-" + tag[2:] not in tags]
        if without:
            raise ValueError(
                f"The spans of task {shown(of_position.name)} with scheme='bio' must begin with 'B-', or "
                f"none could be predicted. Found {shown(without[:5])} and no 'B-' of its kind, as in IOB1."
            )
        _warn_of_illegal(of_position, given, tuple(tags))
        return SpanLoss(of_position.loss, of_position.name, tuple(tags))


def _warn_of_illegal(of_position: ClassTask, given: PositionColumn, tags: tuple[str, ...]) -> None:
    """Warn of rows in which ``I-x`` follows neither ``B-x`` nor ``I-x``, which are never predicted."""
    codes = of_position.encode(given.by_position).reshape(given.values.shape)
    known, codes = ~np.isnan(codes), np.nan_to_num(codes).astype(np.intp)
    first, after = (mask.numpy() for mask in legal_tags(tags))
    wrong = np.zeros(codes.shape, dtype=bool)
    wrong[:, 0] = known[:, 0] & ~first[codes[:, 0]]
    wrong[:, 1:] = known[:, 1:] & known[:, :-1] & ~after[codes[:, :-1], codes[:, 1:]]
    rows = np.flatnonzero(wrong.any(axis=1))
    if len(rows):
        labels = given.values[rows[0], : given.lengths[rows[0]]].tolist()
        warn_caller(
            f"{len(rows)} of {len(given)} rows of task {shown(of_position.name)} are no legal BIO: each "
            f"'I-x' must follow 'B-x' or 'I-x', and predictions are so. Found {shown(labels)}; without "
            "scheme='bio', labels of another scheme, such as IOB1, are predicted as they are."
        )


def span_f1(y_true: Sequence[Sequence[str]], y_pred: Sequence[Sequence[str]]) -> float:
    """Return the F1 of whole spans of tags such as BIO, as seqeval has it (micro average over spans).

    Parameters
    ----------
    y_true, y_pred : sequence of sequence of str
        For each row the tags of its tokens.

    Raises
    ------
    ImportError
        If seqeval is not installed.
    """
    rows = [[list(map(str, row)) for row in y] for y in (y_true, y_pred)]
    return float(_seqeval().f1_score(*rows))


def _seqeval() -> Any:
    try:
        return importlib.import_module("seqeval.metrics")
    except ImportError as error:
        raise ImportError("The F1 of spans needs seqeval: pip install seqeval") from error
