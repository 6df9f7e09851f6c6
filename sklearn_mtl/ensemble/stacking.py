"""Models that are learned from the predictions of several models, task by task or jointly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import Bunch, Tags, check_random_state, get_tags

from sklearn_mtl.ensemble.base import as_rows
from sklearn_mtl.ensemble.composition import MemberEnsemble
from sklearn_mtl.ensemble.final_models import FinalInput, check_final, final_models, final_votes, fitted_final
from sklearn_mtl.ensemble.member_fits import MemberFits, votes_as_they_are
from sklearn_mtl.ensemble.members import (
    Member,
    as_given,
    check_fitted_anew,
    holds_frozen,
    members_of,
    multi_task_within,
    seed_members,
)
from sklearn_mtl.ensemble.out_of_fold import labelled_folds, out_of_fold_votes
from sklearn_mtl.ensemble.per_task import PerTask
from sklearn_mtl.messages import shown


class MultiTaskStacking(TransformerMixin, MemberEnsemble):
    """Learns how to combine several models' predictions, task by task or for all tasks together.

    Members are fitted to all rows, and cross-fitted: what a final estimator learns from is what they predict
    of rows that they have not seen (Wolpert 1992, "Stacked Generalization"; Breiman 1996, "Stacked
    Regressions"). On one task this is scikit-learn's ``StackingRegressor`` or ``StackingClassifier``.

    Parameters
    ----------
    estimators : list of (str, estimator), default=None
        Names and members, as in `MultiTaskVoting`; None is ``[("network", "network"), ("trees", "trees")]``.
        None of them may be frozen.
    final_estimator : estimator, pair of estimators or None, default=None
        What learns from the predictions; it can't be frozen.

        - None is ``RidgeCV()`` for numbers and ``LogisticRegression()`` for classes and labels, with
          ``across_tasks`` after scaling, as predictions of different tasks have different scales.
        - A regressor or classifier where all tasks are of its type, a pair of both, or a `PerTask`: a clone
          for each task learns from the predictions of that task, on the rows that have its label.
        - An estimator of several tasks, such as ``MultiTaskClassifierRegressor(trunk="mlp")``: a single one
          learns all tasks from the predictions of all tasks, on rows that have a label of any.
    across_tasks : bool, default=False
        Whether clones for each task, too, learn from the predictions of all tasks (Spyromitros-Xioufis et al.
        2016, "Multi-target regression via input space expansion", section 3.1).
    cv : int, splitter, iterable or None, default=None
        Which rows are predicted by models that have learned from the others. None is 5 folds; a number is so
        many folds, shuffled, that spread the labels of every task, and keep groups together where ``fit`` is
        given some. A splitter must test each row once.
    passthrough : bool, default=False
        Whether final estimators are given the features too, after the predictions. They are as they are: a
        final estimator for numbers alone needs preprocessing where a column holds others, and none may have
        the name of a prediction.
    tasks : mapping of str to str or task object, default=None
        The kind of each task for all members and for a joint final estimator, as in `MultiTaskVoting`.
    n_jobs : int, default=None
        Number of single-task models that are fitted at the same time, as in joblib.
    random_state : int, RandomState or None, default=None
        Seed for all that draws random numbers and has no seed of its own.

    Attributes
    ----------
    estimators_ : list of estimator
        The members, fitted to all rows, without those that are dropped.
    named_estimators_ : Bunch
        The same by name.
    final_estimators_ : dict of str to estimator
        By task, what predicts it: a `PerTask` with the models of that task, or one estimator for all tasks.
    tasks_ : dict of str to Task
        The tasks, as in `MultiTaskClassifierRegressor`.
    classes_ : dict, list or ndarray
        Classes by task, in the container of y.
    n_features_in_ : int
        Number of features, where a member knows it.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.

    See Also
    --------
    MultiTaskVoting : The weighted mean of the same members, whose weights are not learned from so many fits.

    Notes
    -----
    A prediction is a number, the probability of each class, of two classes that of the second alone, or that
    of each label. Final models of several outputs or labels are one for each, which learn from the
    predictions of all outputs of the task. Predicted numbers are clipped to the range of the labels, as in
    all estimators of this package; scikit-learn's stacking does not do that.

    The default does not look at other tasks: it is what scikit-learn users know, and has the fewest numbers
    to learn.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> from sklearn_mtl.ensemble import MultiTaskStacking
    >>> X, disease = load_diabetes(return_X_y=True)
    >>> Y = {"disease": disease, "severe": disease > 150}
    >>> network = MultiTaskClassifierRegressor(trunk="mlp", n_bags=1, max_epochs=5)
    >>> est = MultiTaskStacking([("network", network), ("linear", "linear")], cv=2, random_state=0)
    >>> est.fit(X, Y).predict(X)["severe"].dtype
    dtype('bool')
    >>> est.get_feature_names_out()[:2].tolist()
    ['network_disease', 'network_severe_True']
    >>> est.final_estimators_["disease"].models_["disease"][0].coef_.shape
    (2,)
    """

    final_estimators_: dict[str, Any]

    def __init__(
        self,
        estimators: list[Member] | None = None,
        final_estimator: Any = None,
        *,
        across_tasks: bool = False,
        cv: Any = None,
        passthrough: bool = False,
        tasks: Mapping[str, Any] | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimators = estimators
        self.final_estimator = final_estimator
        self.across_tasks = across_tasks
        self.cv = cv
        self.passthrough = passthrough
        self.tasks = tasks
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit all members, to all rows and without each fold, and what learns from their predictions.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
            Features, as all members take them.
        y : mapping, DataFrame or array-like
            Labels by task, as in `MultiTaskClassifierRegressor`; missing ones are left out.
        sample_weight : array-like of shape (n_rows,), or mapping or DataFrame by task, optional
            Non-negative weights of the rows, for members and final estimators.
        groups : array-like of shape (n_rows,), optional
            Rows of one group are predicted together, and held out together by networks.

        Returns
        -------
        Self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not what it must be, or a model takes no sample weights.
        """
        self.check_names([name for name, _ in as_given(self.estimators)])
        self._check_flags()
        members, final = members_of(self.estimators), self._final()
        if holds_frozen(final):
            raise ValueError(
                "`final_estimator` of MultiTaskStacking must be fitted anew, as it learns from what these "
                f"members predict. Found the frozen {shown(self.final_estimator)}."
            )
        rng = check_random_state(self.random_state)
        seed_members([*members, ("final_estimator", final)], rng)
        check_fitted_anew(
            members,
            "`estimators` of MultiTaskStacking must be fitted anew, as the final estimator learns from rows "
            "that they have not seen",
        )
        read = self._read(X, y, sample_weight)
        names = [name for name, _ in members]
        given = FinalInput(read.fitted.by_name, names, self.passthrough, self._sees_all_votes(final))
        given.check(read.rows.X)
        for one in (*(member for _, member in members), final):
            check_final(one, read)
        fits = MemberFits(
            read, y, {"sample_weight": sample_weight, "groups": groups}, self._fold, self.n_jobs
        )
        folds = labelled_folds(fits, self.cv, rng)
        unseen = out_of_fold_votes(fits, members, folds)
        for _, member in members:
            fits.fit(member, read.fitted.tasks.names)
        estimators = [member for _, member in members]
        reader = next((one for one in estimators if hasattr(one, "n_features_in_")), None)
        self._keep(
            read.fitted,
            reader,
            estimators_=estimators,
            named_estimators_=Bunch(**dict(members)),
            final_estimators_=fitted_final(final, fits, given, unseen),
            final_input_=given,
        )
        return self

    def transform(self, X: Any) -> Any:
        """Return the predictions of the members for all tasks, which final estimators are given.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features)
            Features of the rows, as in `fit`.

        Returns
        -------
        ndarray, DataFrame or sparse array
            The predictions as float64, columns as `get_feature_names_out` names them; with ``passthrough``
            the features after them, in a table of their kind.
        """
        now = self._as_of_now()
        X = as_rows(X)
        return now.final_input_.beside(now.final_input_.votes(now._member_votes(X)), X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of what `transform` returns, such as ``"trees_type_house"``.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the features, for those that are passed through, where X had none.

        Returns
        -------
        ndarray of str
        """
        now = self._as_of_now()
        known = getattr(now, "feature_names_in_", None)
        n_features = getattr(now, "n_features_in_", None)
        if input_features is None:
            input_features = [f"x{i}" for i in range(n_features or 0)] if known is None else known
        elif n_features is not None and len(input_features) != n_features:
            raise ValueError(
                "`input_features` should have length equal to number of features "
                f"({n_features}), got {len(input_features)}"
            )
        elif known is not None and not np.array_equal(known, input_features):
            raise ValueError("`input_features` is not equal to feature_names_in_")
        passed = list(input_features) if now.final_input_.passthrough else []
        return np.array([*now.final_input_.names(), *passed], dtype=object)

    def _votes(self, X: Any) -> dict[str, np.ndarray]:
        return final_votes(self.final_estimators_, self.final_input_, self._member_votes(X), X)

    def _member_votes(self, X: Any) -> list[dict[str, np.ndarray]]:
        return [votes_as_they_are(self.tasks_, member, X) for member in self.estimators_]

    def _final(self) -> Any:
        return final_models(self.final_estimator, across_tasks=bool(self.across_tasks))

    def _sees_all_votes(self, final: Any) -> bool:
        return self.across_tasks or not isinstance(final, PerTask)

    def _check_flags(self) -> None:
        for name in ("across_tasks", "passthrough"):
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_):
                raise ValueError(f"`{name}` must be True or False. Found {shown(value)}.")

    def _spell_out(self, asked: Collection[str]) -> None:
        if "final_estimator" in asked and not hasattr(self.final_estimator, "get_params"):
            self.final_estimator = self._final()

    def _keep_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        final = self._final()
        within = multi_task_within(final)
        if within is not None and not isinstance(within, PerTask):
            within._of_one_task(name, kinds)
            self.final_estimator = final

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator: what all members take, and the final one."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        if self.passthrough:
            final = get_tags(self._final()).input_tags
            tags.input_tags.allow_nan = tags.input_tags.allow_nan and final.allow_nan
            tags.input_tags.sparse = tags.input_tags.sparse and final.sparse
        return tags
