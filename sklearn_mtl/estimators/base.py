"""What the three estimators have in common: everything but which kinds of task they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Self

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags

from sklearn_mtl.estimators.autologging import autologged
from sklearn_mtl.estimators.fit_parameters import FitParameters
from sklearn_mtl.estimators.fit_tasks import FitTasks
from sklearn_mtl.estimators.fitted import Fitted, FittedEstimator
from sklearn_mtl.estimators.fitted_trunks import warn_of_what_stays_frozen
from sklearn_mtl.estimators.fitting import PlannedFit, plan_fit
from sklearn_mtl.estimators.parameters import NestedParameters, by_name
from sklearn_mtl.estimators.predictions import PredictsByTask
from sklearn_mtl.estimators.rows import FitData
from sklearn_mtl.estimators.scikit_learn_private import CALLBACKS, CallbackSupportMixin, with_callbacks
from sklearn_mtl.estimators.stages import Stages
from sklearn_mtl.estimators.task_scores import ScoresByTask
from sklearn_mtl.estimators.task_view import ViewedByTask
from sklearn_mtl.estimators.warm_start import declared_classes, fit_batch, fit_further
from sklearn_mtl.features import takes_sparse
from sklearn_mtl.inference import bag_predictions, bag_representation
from sklearn_mtl.messages import shown


class BaseMultiTask(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    PredictsByTask,
    ScoresByTask,
    ViewedByTask,
    FittedEstimator,
    NestedParameters,
):
    """What the three estimators have in common; not to be used itself."""

    @by_name
    def __init__(
        self,
        *,
        tasks: Mapping[str, Any] | None = None,
        task_weights: Mapping[str, float] | None = None,
        trunk: Any = None,
        sharing: Any = None,
        balancing: Any = None,
        sampler: Any = None,
        augmentation: Any = None,
        head_hidden_sizes: Sequence[int] | Mapping[str, Sequence[int]] = (),
        preprocessing: Any = "auto",
        optimizer: Any = "adamw",
        lr: float = 4e-3,
        weight_decay: float = 1e-4,
        batch_size: int | str = "auto",
        max_epochs: int = 200,
        lr_schedule: Any = "inverse_sqrt",
        gradient_clip: float | None = None,
        early_stopping: bool = True,
        validation_fraction: Any = 0.1,
        patience: int | str = "auto",
        n_bags: int | str = "auto",
        ema_decay: float | None = 0.99,
        calibrate: bool = True,
        linear_blend: bool | str = "auto",
        tree_blend: bool | str = "auto",
        device: Any = "auto",
        precision: str = "float32",
        compile: bool = False,
        gradient_conflict: int | None = None,
        callbacks: Sequence[Any] | None = None,
        verbose: int = 0,
        warm_start: bool = False,
        checkpoint: Any = None,
        random_state: Any = None,
    ) -> None:
        self.tasks = tasks
        self.task_weights = task_weights
        self.trunk = trunk
        self.sharing = sharing
        self.balancing = balancing
        self.sampler = sampler
        self.augmentation = augmentation
        self.head_hidden_sizes = head_hidden_sizes
        self.preprocessing = preprocessing
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.lr_schedule = lr_schedule
        self.gradient_clip = gradient_clip
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.n_bags = n_bags
        self.ema_decay = ema_decay
        self.calibrate = calibrate
        self.linear_blend = linear_blend
        self.tree_blend = tree_blend
        self.device = device
        self.precision = precision
        self.compile = compile
        self.gradient_conflict = gradient_conflict
        self.callbacks = callbacks
        self.verbose = verbose
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.random_state = random_state

    @autologged
    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Fit the network to all tasks.

        Parameters
        ----------
        X : DataFrame of pandas or polars, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features; one column of texts, or a list of them, where ``preprocessing`` takes texts. A
            sparse matrix is made dense a batch at a time. The rows of a ``numpy.memmap``, a
            ``torch.utils.data.Dataset`` or `Files` are read when they are needed, here and in the other
            methods.
        y : mapping, DataFrame or array-like
            Labels by task, each of shape (n_rows,) or (n_rows, n_outputs); NaN, None, NA and NaT are
            missing. A two-dimensional array has the tasks y0, y1, …, and may have NaN; a
            one-dimensional one has the task y, and may not.
        sample_weight : array-like of shape (n_rows,), or mapping or DataFrame by task, optional
            Non-negative weights of the rows.
        X_val, y_val : optional
            Rows to stop training on, in place of a share of X.
        groups : array-like of shape (n_rows,), optional
            Rows of one group are held out together, or learned from together.

        Returns
        -------
        Self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not what it must be; this is found before any training. Also
            if a loss is nan or infinite in the first epoch.
        KeyboardInterrupt
            If Ctrl-C has ended the training. Nets that have finished an epoch are kept, and
            ``interrupted_`` is True; where there is none, the estimator is as it was before, in that too.
        """
        data = FitData(X, y, sample_weight, X_val, y_val, groups)
        tasks = FitTasks(self, data) if getattr(self, CALLBACKS, None) else nullcontext()
        with self._fitting() as keep, tasks:
            parameters, observed = self._parameters_for(data), getattr(tasks, "observed", None)
            before = getattr(self, "_fitted", None) if self.warm_start else None
            if self.checkpoint is not None:
                from sklearn_mtl.estimators.checkpointed import fit_with_checkpoint

                keep(*fit_with_checkpoint(self, parameters, data, observed))
            elif before is None:
                keep(*self._trained(parameters, data, observed))
            else:
                keep(fit_further(parameters, before, data, self, observed))
        return self

    def _trained(self, parameters: FitParameters, data: FitData, observed: Any) -> tuple[Fitted, Any]:
        """Return what is trained, and what has read X; the rows that were learned from are gone by then."""
        planned = self._planned(parameters, data, Stages())
        return planned.train(observed), planned.reader

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on a part of the data.

        Tasks, classes, scales and preprocessing are those of the first call; no row is held out.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : mapping of str to array-like, or array-like, optional
            All classes of each classification task, for the first call; for a one-dimensional y its
            classes, for a two-dimensional y a list. A task that it omits has the classes of that call.

        Returns
        -------
        Self
            The estimator, trained on.

        Raises
        ------
        ValueError
            If a later call brings a class or a task that the first did not know, or there is a
            ``checkpoint``.
        KeyboardInterrupt
            As in `fit`; nets that have not finished this epoch stay as they were.
        """
        if self.checkpoint is not None:
            raise ValueError(
                "`checkpoint` must be None for `partial_fit`, which trains for one epoch: save the estimator "
                f"between two calls. Found {shown(self.checkpoint)}."
            )
        data, declared = FitData(X, y, sample_weight), declared_classes(y, classes)
        before = getattr(self, "_fitted", None)
        with self._fitting() as keep:
            if before is None:
                planned = plan_fit(self._parameters_for(data), data, Stages(), declared or {})
                keep(planned.train(), planned.reader)
            else:
                keep(fit_batch(self._parameters_for(data), before, data, declared, reader=self))
        return self

    def predict(self, X: Any) -> Any:
        """Predict all tasks.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.

        Returns
        -------
        MultiTaskTarget, DataFrame or ndarray
            The container that y was given in; regression as float64, labels in their own dtype.
        """
        now = self._as_of_now()
        inputs, index = now._encoded(X)
        predictions = bag_predictions(now.nets_, now._fitted.tasks, inputs)
        return now._fitted.layout.restore(predictions, index=index)

    def transform(self, X: Any) -> Any:
        """Return the shared representation.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_rows, n_features, ...)
            Features of the rows, as in `fit`.

        Returns
        -------
        ndarray of shape (n_rows, width)
            The representation of the first net, averaged over its members. Where tasks have
            representations of their own, these are side by side.
        """
        now = self._as_of_now()
        inputs, _ = now._encoded(X)
        return bag_representation(now.nets_, inputs)

    def _of_one_task(self, name: str, kinds: Mapping[str, Any]) -> None:
        for parameter in ("tasks", "head_hidden_sizes"):
            value = getattr(self, parameter)
            if isinstance(value, Mapping):
                self.set_params(**{parameter: {k: v for k, v in value.items() if k == name}})
        self.set_params(tasks={**kinds, **(self.tasks or {})}, task_weights=None)

    def _fit_parameters(self) -> FitParameters:
        return FitParameters.of(self, self._kind_rule, fold=self._fold)

    def _parameters_for(self, data: FitData) -> FitParameters:
        """Return the parameters, seen to be such that these rows and weights can be drawn by them."""
        parameters = self._fit_parameters()
        parameters.draws.check_weights(weighted=data.sample_weight is not None)
        return parameters

    def _plan(self, data: FitData, stages: Stages) -> PlannedFit:
        """Return what ``fit`` would train; a search trains it together with others.

        Parameters
        ----------
        data : FitData
            Features, labels and weights that ``fit`` is given.
        stages : Stages
            Do the work, or share it with other fits to the same data.
        """
        return self._planned(self._parameters_for(data), data, stages)

    def _planned(self, parameters: FitParameters, data: FitData, stages: Stages) -> PlannedFit:
        planned = plan_fit(parameters, data, stages)
        if not self.warm_start:
            warn_of_what_stays_frozen(planned.untrained.blueprint, planned.max_epochs)
        return planned

    @property
    def _n_features_out(self) -> int:
        return self._fitted.representation_width

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        tags.input_tags.allow_nan = isinstance(self.preprocessing, str)
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = takes_sparse(self.preprocessing)
        # The representation has the network's precision, whatever X came in.
        tags.transformer_tags.preserves_dtype = []
        return tags
