"""A model of its own for every task, as one estimator of all tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags, check_array, get_tags
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import has_fit_parameter, validate_data

from sklearn_mtl.ensemble.base import ReadTasks, TaskEnsemble, last_within
from sklearn_mtl.ensemble.votes import votes_on
from sklearn_mtl.estimators.kinds import KindRule, KindsFromLabels, KindsOfType
from sklearn_mtl.estimators.scikit_learn_private import take_rows
from sklearn_mtl.features import SparseRows, read_features
from sklearn_mtl.features.reading import check_transformer, takes_sparse
from sklearn_mtl.features.table import default_preprocessing
from sklearn_mtl.messages import shown
from sklearn_mtl.tasks import Classification, Multilabel, Regression


class PerTask(TaskEnsemble):
    """Each task by a scikit-learn model of its own: what single-task tools make of the same data.

    A task is fitted on the rows that have its label: a classification by a clone of ``classifier``, a
    regression by one of ``regressor``, and of several outputs or labels each by a clone of its own. Labels of
    a classification reach the model as their places in ``classes_``.

    Parameters
    ----------
    regressor : estimator, default=None
        What fits the regression tasks; needed where there are some.
    classifier : estimator, default=None
        What fits all other tasks, with ``predict_proba``; needed where there are some.
    preprocessing : None, "auto" or transformer, default=None
        What X goes through first, once for all tasks; its ``fit`` is given no labels. None passes X on as it
        is, ``"auto"`` scales, imputes and encodes as that of `MultiTaskClassifierRegressor`, and
        `CategoricalColumns` reads columns for trees that know categories.
    tasks : mapping of str to str or task object, default=None
        The kind of each task, as in `MultiTaskClassifierRegressor`; tasks it omits are inferred from their
        labels.
    n_jobs : int, default=None
        Number of models that are fitted at the same time, as in joblib.

    Attributes
    ----------
    models_ : dict of str to list of estimator
        By task, the fitted model of each of its target columns.
    tasks_ : dict of str to Task
        The tasks, as in `MultiTaskClassifierRegressor`.
    classes_ : dict, list or ndarray
        Classes by task, in the container of y.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.

    See Also
    --------
    MultiTaskVoting : The weighted mean of several estimators, of which this may be one.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LogisticRegression, Ridge
    >>> from sklearn_mtl.ensemble import PerTask
    >>> X, disease = load_diabetes(return_X_y=True)
    >>> Y = {"disease": disease, "severe": disease > 150}
    >>> est = PerTask(Ridge(), LogisticRegression()).fit(X, Y)
    >>> est.score_tasks(X, Y).round(2)
    disease    0.45
    severe     0.75
    dtype: float64
    """

    models_: dict[str, list[Any]]

    def __init__(
        self,
        regressor: Any = None,
        classifier: Any = None,
        *,
        preprocessing: Any = None,
        tasks: Mapping[str, Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.regressor = regressor
        self.classifier = classifier
        self.preprocessing = preprocessing
        self.tasks = tasks
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit a model to each task.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
            Features, as the models or the preprocessing take them.
        y : mapping, DataFrame or array-like
            Labels by task, as in `MultiTaskClassifierRegressor`; missing ones are left out.
        sample_weight : array-like of shape (n_rows,), or mapping or DataFrame by task, optional
            Non-negative weights of the rows; a row of weight 0 is left out.

        Returns
        -------
        Self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not what it must be, or a model takes no sample weights.
        """
        read = self._read(X, y, sample_weight)
        logs = [name for name, kind in read.asked.items() if getattr(kind, "transform", None) is not None]
        if logs:
            raise ValueError(
                "`tasks` of PerTask must hold regressions without `transform`: a TransformedTargetRegressor "
                f"as `regressor` does the same. Found {shown(read.asked[logs[0]])} for {shown(logs[0])}."
            )
        self._fit_tasks(read, read.fitted.tasks.names)
        return self

    def _fit_tasks(self, read: ReadTasks, names: Sequence[str]) -> None:
        """Fit some of the tasks that were read; the others are left out.

        Parameters
        ----------
        read : ReadTasks
            What ``fit`` was given.
        names : sequence of str
            The tasks to fit.
        """
        rows, tasks = read.rows, read.fitted.by_name
        templates = {name: self._template(read, name) for name in names}
        reader = BaseEstimator()
        X = self._read_features(reader, rows.X, reset=True)
        transformer = self._transformer(X)
        if transformer is not None:
            transformer.fit(X if rows.index is None else take_rows(X, rows.index))
            X = transformer.transform(X)
        jobs: list[Any] = []
        for place, name in enumerate(rows.columns):
            if name in names:
                votes, weight = votes_on(tasks[name]), rows.of_task(place)
                for labels in votes.targets(tasks[name], rows.columns[name]).T:
                    known = np.flatnonzero(~np.isnan(labels) & (weight > 0))
                    places = known if rows.index is None else rows.index[known]
                    given = weight[known] if rows.weighted else None
                    job = (X, places, labels[known], given, votes.of_no_label)
                    jobs.append((name, delayed(_fitted_model)(templates[name], *job)))
        models: dict[str, list[Any]] = {name: [] for name in tasks if name in names}
        fitted = Parallel(n_jobs=self.n_jobs)(job for _, job in jobs)
        for (name, _), model in zip(jobs, fitted, strict=True):
            models[name].append(model)
        self._keep(read.fitted.only(names), reader, models_=models, preprocessing_=transformer)

    def _as_of_now(self) -> Self:
        now = super()._as_of_now()
        if not now.tasks_:
            raise NotFittedError(
                "A PerTask must be fitted to some task before it answers. Found one that is fitted to no "
                "task: its weights are 0."
            )
        return now

    def _votes(self, X: Any) -> dict[str, np.ndarray]:
        X = self._read_features(self, X, reset=False)
        if self.preprocessing_ is not None:
            X = self.preprocessing_.transform(X)
        return {
            name: votes_on(task).by_models(task, self.models_[name], X) for name, task in self.tasks_.items()
        }

    @property
    def _kind_rule(self) -> KindRule:  # type: ignore[override]
        if self.classifier is None:
            return KindsOfType("regressor", column=Regression, block=Regression)
        if self.regressor is None:
            return KindsOfType("classifier", column=Classification, block=Multilabel)
        return KindsFromLabels()

    def _of_one_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        self.tasks = {**kinds, **{of: kind for of, kind in (self.tasks or {}).items() if of == name}}

    def _template(self, read: ReadTasks, name: str) -> Any:
        of = "classifier" if votes_on(read.fitted.kinds[name]).is_classification else "regressor"
        template = getattr(self, of)
        if not hasattr(template, "fit") or isinstance(template, type):
            raise ValueError(
                f"`{of}` must be an estimator of scikit-learn where there are such tasks as {shown(name)}, "
                f"{read.fitted.kinds[name].kind}. Found {shown(template)}."
            )
        if of == "classifier" and not hasattr(template, "predict_proba"):
            raise ValueError(f"`classifier` must have `predict_proba`. Found {shown(template)}.")
        if read.rows.weighted and not has_fit_parameter(last_within(template)[1], "sample_weight"):
            raise TypeError(
                f"`{of}` must take sample weights where `fit` is given some. Found {shown(template)}."
            )
        return template

    def _transformer(self, X: Any) -> Any:
        if self.preprocessing is None:
            return None
        if isinstance(self.preprocessing, str) and self.preprocessing == "auto":
            # A sparse table has no columns of other things than numbers.
            return None if issparse(X) else default_preprocessing()
        check_transformer(self.preprocessing)
        return clone(self.preprocessing)

    def _read_features(self, reader: BaseEstimator, X: Any, *, reset: bool) -> Any:
        if self.preprocessing is None:
            if not reset and hasattr(reader, "n_features_in_") and np.ndim(X) == 1:
                # scikit-learn raises, and says how to reshape it.
                check_array(X, dtype=None)
            validate_data(reader, X, skip_check_array=True, reset=reset)
            return X
        found = read_features(reader, X, reset=reset, allow_nan=True)
        return found.matrix if isinstance(found, SparseRows) else found

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator: what the models take, and the preprocessing."""
        tags = super().__sklearn_tags__()
        models = [
            get_tags(model).input_tags for model in (self.regressor, self.classifier) if model is not None
        ]
        tags.input_tags.sparse = takes_sparse(self.preprocessing) and all(of.sparse for of in models)
        tags.input_tags.allow_nan = self.preprocessing is not None or all(of.allow_nan for of in models)
        return tags


def _fitted_model(
    template: Any,
    X: Any,
    places: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray | None,
    of_no_label: Any,
) -> Any:
    """Return a model of one target column; one that is constant where there is nothing to tell apart."""
    if not len(places):
        return of_no_label
    is_constant = hasattr(template, "predict_proba") and (labels == labels[0]).all()
    model: Any = DummyClassifier() if is_constant else clone(template)
    given = {} if weight is None else {f"{last_within(model)[0]}sample_weight": weight}
    return model.fit(take_rows(X, places), labels, **given)
