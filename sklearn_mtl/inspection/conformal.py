"""Intervals and sets of classes that hold the label of a new row with a promised probability, by task."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from sklearn_mtl.estimators.scored_rows import ScoredRows
from sklearn_mtl.estimators.wrapped import innermost
from sklearn_mtl.inspection.conformal_models import (
    ConformalInterval,
    ConformalSet,
    ConformalTask,
    conformal_task,
    global_state_kept,
)
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import is_number
from sklearn_mtl.targets import MultiTaskTarget


class ConformalTasks(BaseEstimator):
    """Split-conformal intervals and sets of classes for the tasks of a fitted estimator.

    How wide an interval, or how large a set, must be to hold the label of a new row with the wanted
    probability is measured on rows that nothing was fitted to. It holds whatever the network is, as long as
    new rows are drawn like these: Vovk et al. (2005), "Algorithmic Learning in a Random World". MAPIE
    computes it. A regression has intervals of one width around its predictions, by absolute residuals (Lei
    et al. 2018, "Distribution-Free Predictive Inference for Regression"); one with a quantile or Gaussian
    loss has its own intervals made wider or narrower (Romano et al. 2019, "Conformalized Quantile
    Regression"). A task with classes has the set of those whose probability is above a threshold (Sadinle et
    al. 2019, "Least Ambiguous Set-Valued Classifiers with Bounded Error Levels").

    Parameters
    ----------
    estimator : fitted estimator
        A multi-task estimator, or a Pipeline or search around one.
    coverage : float, default=0.9
        The share of labels of new rows that intervals and sets are to hold, between 0 and 1.

    Attributes
    ----------
    conformal_ : dict of str to object
        What `conformalize` found, by task.

    Notes
    -----
    The promise is one for each task and output by itself, and on average over rows: among rows of one kind
    the share may be smaller. Tasks of several labels, of survival and of a label for each position have
    neither intervals nor sets here.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
    >>> from sklearn_mtl.inspection import ConformalTasks
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(900, 3))
    >>> type_ = np.where(X[:, 1] > rng.normal(size=900), "flat", "house")
    >>> Y = MultiTaskTarget({"price": X[:, 0] + rng.normal(size=900), "type": type_})
    >>> first, second, third = (slice(start, start + 300) for start in (0, 300, 600))
    >>> est = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=30, random_state=0)
    >>> est = est.fit(X[first], Y[first])
    >>> conformal = ConformalTasks(est, coverage=0.8).conformalize(X[second], Y[second])
    >>> conformal.predict_interval(X[third])["price"].shape, conformal.predict_set(X[third])["type"].shape
    ((300, 2), (300, 2))
    >>> report = conformal.coverage_report(X[third], Y[third])
    >>> bool((report["found"] - 0.8).abs().max() < 0.1)
    True
    """

    def __init__(self, estimator: Any, *, coverage: float = 0.9) -> None:
        self.estimator = estimator
        self.coverage = coverage

    def conformalize(self, X: Any, y: Any) -> Self:
        """Find how wide the intervals, and how large the sets, must be.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, ...)
            Features of rows that the estimator was not fitted to, and that were not used to choose it.
        y : mapping, DataFrame or array-like
            Their labels, of all tasks or of some by name. Missing ones are left out.

        Returns
        -------
        Self
            The fitted object.

        Raises
        ------
        ValueError
            If ``coverage`` is no number between 0 and 1, if a task has too few labels for it, or if no task
            of y has intervals or sets.
        ImportError
            If MAPIE is not installed.
        """
        if not is_number(self.coverage) or not 0 < self.coverage < 1:
            raise ValueError(f"`coverage` must be a number between 0 and 1. Found {shown(self.coverage)}.")
        _check_mapie()
        rows = self._rows(X, y)
        found: dict[str, ConformalTask] = {}
        for name, column in rows.targets.columns.items():
            task, kind = rows.estimator.tasks_[name], rows.estimator._fitted.kinds[name]
            conformal = conformal_task(task, kind, self.coverage)
            if conformal is not None:
                task.check_shape(column)
                known = column.complete
                self._check_enough(name, int(known.sum()))
                with global_state_kept():
                    conformal.conformalize(rows.responses[name][known], column.values[known])
                found[name] = conformal
        if not found:
            raise ValueError(
                "y must hold a task with intervals or sets: a regression, or one class for each row. Found "
                f"{shown({name: rows.estimator.tasks_[name].kind for name in rows.targets.columns})}."
            )
        self.conformal_ = found
        return self

    def predict_interval(self, X: Any) -> MultiTaskTarget:
        """Return an interval for each row and regression task.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, ...)
            Features of the rows.

        Returns
        -------
        MultiTaskTarget
            By task, float64 of shape (n_rows, 2), or (n_rows, n_outputs, 2): lower and upper end, in the
            units of the labels.

        Raises
        ------
        ValueError
            If no task has intervals.
        """
        return self._predicted(X, ConformalInterval)

    def predict_set(self, X: Any) -> MultiTaskTarget:
        """Return a set of classes for each row and task with classes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, ...)
            Features of the rows.

        Returns
        -------
        MultiTaskTarget
            By task, bool of shape (n_rows, n_classes), columns as in ``classes_`` of the estimator: whether
            the class is in the set. A set may be empty, where no class is probable enough.

        Raises
        ------
        ValueError
            If no task has sets.
        """
        return self._predicted(X, ConformalSet)

    def coverage_report(self, X: Any, y: Any) -> pd.DataFrame:
        """Return the share of labels that the intervals and sets of rows do hold, and how large they are.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, ...)
            Features of rows that neither the estimator nor `conformalize` has seen.
        y : mapping, DataFrame or array-like
            Their labels; missing ones are left out.

        Returns
        -------
        DataFrame
            A row for each task: ``kind``, ``"interval"`` or ``"set"``; ``n_rows`` with a label; ``asked`` and
            ``found``, the coverage; ``size``, the mean width of an interval in the units of the labels, or
            the mean number of classes of a set. Of several outputs the means over these.
        """
        self._check_conformalized()
        rows, report = self._rows(X, y), {}
        for name, conformal in self.conformal_.items():
            if name not in rows.targets.columns:
                continue
            column = rows.targets.columns[name]
            known = column.complete
            n_rows, found, size = int(known.sum()), np.nan, np.nan
            if n_rows:
                predicted, labels = conformal.predict(rows.responses[name][known]), column.values[known]
                found = float(conformal.holds(predicted, labels).mean())
                size = float(conformal.size(predicted).mean())
            report[name] = [conformal.kind, n_rows, self.coverage, found, size]
        columns = ["kind", "n_rows", "asked", "found", "size"]
        return pd.DataFrame.from_dict(report, orient="index", columns=columns).rename_axis("task")

    def _rows(self, X: Any, y: Any) -> ScoredRows:
        found, X = innermost(self.estimator, X)
        rows = ScoredRows.read(found, X, y, None)
        rows.check_known()
        return rows

    def _check_conformalized(self) -> None:
        if not hasattr(self, "conformal_"):
            raise NotFittedError("This ConformalTasks has no intervals yet; call `conformalize` first.")

    def _check_enough(self, name: str, n_labels: int) -> None:
        fewest = int(round(max(1 / self.coverage, 1 / (1 - self.coverage)), 9)) + 1
        if n_labels < fewest:
            raise ValueError(
                f"Task {shown(name)} must have at least {fewest} labels for a coverage of "
                f"{self.coverage:g}. Found {n_labels}."
            )

    def _predicted(self, X: Any, kind: type[ConformalTask]) -> MultiTaskTarget:
        self._check_conformalized()
        of_kind = {name: one for name, one in self.conformal_.items() if isinstance(one, kind)}
        if not of_kind:
            raise ValueError(
                f"`conformalize` must have been given a task that has {kind.kind}s. Found "
                f"{shown({name: one.kind for name, one in self.conformal_.items()})}."
            )
        found, X = innermost(self.estimator, X)
        responses, _ = found._as_of_now()._responses(X)
        return MultiTaskTarget({name: one.predict(responses[name]) for name, one in of_kind.items()})


def _check_mapie() -> None:
    """Raise an ``ImportError`` that names the extra, where MAPIE is not installed."""
    if find_spec("mapie") is None:
        raise ImportError('Conformal predictions need MAPIE: pip install "sklearn-mtl[conformal]"')
