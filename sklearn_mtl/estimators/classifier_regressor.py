"""The estimator for tasks of different kinds."""

from __future__ import annotations

from sklearn.utils import ClassifierTags, Tags

from sklearn_mtl.estimators.base import BaseMultiTask
from sklearn_mtl.estimators.kinds import KindsFromLabels


class MultiTaskClassifierRegressor(BaseMultiTask):
    """One neural network for several targets: numbers, classes and sets of labels at once.

    All tasks share a trunk and have heads of their own. Labels may be missing cell by cell; losses are
    made comparable before they are weighed, so that a weight means the same for every task.

    Parameters
    ----------
    tasks : mapping of str to str or task object, default=None
        The kind of each task: ``"regression"``, ``"classification"``, ``"multilabel"``, ``"ordinal"``,
        ``"survival"``, or an object such as ``Regression(loss="quantile")``. Tasks it omits are inferred
        from their labels: floats are a regression; booleans, strings and categories a classification;
        integers, and whole floats with gaps, a classification up to 20 distinct values; a
        two-dimensional block of 0 and 1 is multilabel, one of floats a regression of several outputs; a
        structured array of booleans and numbers is survival. A close guess is a warning; text that is
        nearly all distinct or reads as numbers is an error.
    task_weights : mapping of str to float, default=None
        Non-negative weight of each task's loss; tasks it omits count 1.0. In a grid,
        ``task_weights__price=[0.1, 1, 10]``.
    trunk : Trunk, str or nn.Module, default=None
        From features to a representation; None is ``TabM()`` for tables, ``TCN()`` for sequences,
        ``CNN()`` for images, ``TextEncoder()`` for texts, and ``MLP()`` for all other arrays. The words are
        ``"ft_transformer"``, ``"mlp"``, ``"resnet"``, ``"tabm"`` for tables, ``"cnn"`` for images,
        ``"rnn"``, ``"tcn"`` and ``"transformer_encoder"`` for sequences, ``"text_encoder"`` for texts; see
        `sklearn_mtl.trunks`.
    sharing : Sharing or str, default=None
        How tasks share trunks; None is ``HardSharing()``, one trunk for all. The words are ``"hard"``,
        ``"separate"``, ``"soft"``, ``"cross_stitch"``, ``"task_attention"``, ``"mmoe"``, ``"dselect_k"``,
        ``"ple"``, ``"task_adapters"``, ``"hierarchical"`` and ``"cascade"``; see `sklearn_mtl.sharing`.
    balancing : Balancer, str or aggregator of TorchJD, default=None
        From losses, or gradients, to an update: a method of `sklearn_mtl.balancing`, or the short name of one
        such as ``"uncertainty"``; None is ``StaticWeights()``, the weighted sum.
    sampler : Sampler or str, default=None
        How often each row is drawn for training; None is once in an epoch. ``"task_balanced"``,
        ``"class_balanced"`` or ``"sample_weighted"``, or one of `sklearn_mtl.sampling`. It changes how often
        a row is seen, not what it weighs.
    augmentation : Augmentation or str, default=None
        What is done to each batch before a step: ``"mixup"`` or ``"feature_dropout"``, or one of
        `sklearn_mtl.augmentation`; None is nothing.
    head_hidden_sizes : sequence of int, or mapping of str to such, default=()
        Hidden layers of each task's own branch.
    preprocessing : "auto", None, transformer or mapping, default="auto"
        ``"auto"`` scales, imputes and encodes columns of any type; None takes X as it is; any
        scikit-learn transformer does. Of several inputs, a mapping from their names to any of these. It is
        fitted on the rows that some net of the bag learns from.
    optimizer : str or type of torch Optimizer, default="adamw"
        ``"adamw"``, ``"adam"``, ``"sgd"``, ``"rmsprop"`` or a class.
    lr : float, default=4e-3
        Learning rate.
    weight_decay : float, default=1e-4
        Weight decay.
    batch_size : int or "auto", default="auto"
        Rows in a step; ``"auto"`` is the power of two nearest a twentieth of the rows, 32 to 128.
    max_epochs : int, default=200
        Most passes over the rows.
    lr_schedule : str, skorch LRScheduler or None, default="inverse_sqrt"
        How the learning rate changes during training: ``"inverse_sqrt"`` falls with the root of the steps,
        by half after 3,000; ``"cosine"`` and ``"one_cycle"`` stretch over ``max_epochs``; None is constant.
    gradient_clip : float, default=None
        Largest norm of a step's gradient.
    early_stopping : bool, default=True
        Stop when the loss on held-out rows no longer falls, and keep the mean of the weights of the best
        epoch and of those after it. Watched is the mean of the scale-free losses over the tasks of
        weight > 0. ``False`` holds no row out. With fewer than ten rows none are held out either.
    validation_fraction : float or splitter, default=0.1
        Share of rows held out, stratified by the first task whose labels have strata, such as classes;
        with ``groups`` in ``fit``, of whole groups. Or a splitter as in scikit-learn: each net learns
        from the training part of one of its last splits, and stops on the test part.
    patience : int or "auto", default="auto"
        Epochs without a lower loss before training stops; ``"auto"`` is 6, 12 below 1,000
        rows, and 4 from 50,000 rows on.
    n_bags : int or "auto", default="auto"
        Nets on different held-out rows (different seeds where none are held out), whose predictions
        are averaged; ``"auto"`` is 8 below 1,000 rows, and 2 from there on; of `TabM`, whose nets
        are small, 5 up to 20,000 rows; 2 for images, sequences and several inputs. 1 is the fast way.
    ema_decay : float or None, default=0.99
        Decay of the moving average of the weights, which predictions use; None for none.
    calibrate : bool, default=True
        Fit a temperature for each task with probabilities on the held-out rows, undo in probabilities
        what ``class_weight`` and ``pos_weight`` do to them, and hold regressions to the range of the
        training labels.
    linear_blend : bool or "auto", default="auto"
        Whether each net is blended with a linear model of its preprocessed training rows, ridge or
        logistic regression, at a share that the held-out rows choose for each task; ``"auto"`` is a table
        of fewer than 1,000 rows. Only tables have linear models, of up to 10,000,000 numbers; without
        held-out rows there is no blend.
    tree_blend : bool or "auto", default="auto"
        Whether each net is blended with boosted trees of its preprocessed training rows, as those of
        `HistGradientBoostingRegressor`, at a share that the held-out rows choose for each task; ``"auto"``
        is for tasks of at least 1,000 training labels that have at most 16 outputs together, in tables of
        which columns times outputs of all tasks are at most 2,000. Trees that lower a task's loss over the
        held-out rows by less than 0.5 % are left out. Squared errors and cross-entropies have trees, other
        losses none; and none are there without held-out rows.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA where there is one.
    precision : {"float32", "float64", "bf16"}, default="float32"
        Precision of data and weights; ``"bf16"`` is float32 with products in bfloat16 while training.
    compile : bool, default=False
        Whether the network goes through ``torch.compile``.
    gradient_conflict : int, default=None
        Every so many steps the gradients of the tasks are compared, for ``gradient_conflict_``; None for
        never. At 20 times the number of tasks, it takes less than 4 % of the time of a fit.
    callbacks : list of skorch callbacks, default=None
        Each net gets copies, which share what the callbacks were constructed with, such as a trial or a
        writer; files of checkpoints get the net's number where there are several.
    verbose : int, default=0
        At 1 a bar shows the progress of a fit, or lines where there is neither a terminal nor a notebook;
        above that, each net prints a line for each epoch. At 0 nothing is printed.
    warm_start : bool, default=False
        Whether a further ``fit`` goes on from where the last one ended, up to ``max_epochs`` in all.
        Tasks, preprocessing, network and bag stay those of the first ``fit``; task weights and what
        concerns the training may change.
    checkpoint : str, path or Checkpoint, default=None
        A folder into which ``fit`` writes after each epoch how far it is, by which the same ``fit`` goes on
        after its process has ended; `Checkpoint` has more settings. None writes nothing.
    random_state : int, RandomState or None, default=None
        Seed of the held-out rows, initial weights, batches and dropout. The same seed gives the same result
        to the bit on a CPU. Torch's global generator is left alone; None draws a seed from numpy's, as
        everywhere in scikit-learn.

    Attributes
    ----------
    tasks_ : dict of str to Task
        What was decided about each task.
    classes_ : dict of str to ndarray
        Classes of the classification tasks (a list of arrays for a multilabel one). For a
        one-dimensional y an array, for a two-dimensional y a list.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, where X had names.
    net_ : MultiTaskNet
        The first trained skorch net.
    nets_ : list of MultiTaskNet
        All nets of the bag.
    history_ : DataFrame
        A row for each epoch of each net: losses, weight and metric of every task.
    gradient_conflict_ : DataFrame
        Where ``gradient_conflict`` asks for it: by epoch and task, for each task, the cosine between the
        gradients of the two in the parameters that tasks share, its mean over the steps of the epoch that
        were looked at. Below 0, one task unlearns what the other learns. It is nan for a task without a label
        in these steps, and where nothing is shared. Of several nets the index begins with ``bag``.
    n_iter_ : int
        Number of epochs of the net that ran longest.
    interrupted_ : bool
        Whether Ctrl-C has ended the ``fit`` or ``partial_fit`` that all of this is of. One that kept nothing
        is no such fit, and changes no attribute.

    See Also
    --------
    MultiTaskClassifier : All tasks are classifications; a full scikit-learn classifier.
    MultiTaskRegressor : All tasks are regressions; a full scikit-learn regressor.

    Notes
    -----
    The loss is Σ w_t L_t with L_t = Σ s·l / (b_t Σ s) over the labelled rows of a batch, where s are
    sample weights and b_t the loss of task t's best constant prediction on the training rows.

    References
    ----------
    .. [1] R. Caruana, "Multitask Learning", Machine Learning 28, 1997.
    .. [2] V. Kurin et al., "In Defense of the Unitary Scalarization for Deep Multi-Task Learning",
       NeurIPS 2022.
    .. [3] Y. Gorishniy, A. Kotelnikov, A. Babenko, "TabM: Advancing Tabular Deep Learning with
       Parameter-Efficient Ensembling", ICLR 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mtl import MultiTaskClassifierRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> Y = {"price": 1e5 + 2e4 * X[:, 0], "type": np.where(X[:, 1] > 0, "flat", "house")}
    >>> est = MultiTaskClassifierRegressor(n_bags=1, random_state=0).fit(X, Y)
    >>> est.predict(X)["type"][:3]
    array(['house', 'house', 'flat'], dtype='<U5')
    >>> est.predict_proba(X)["type"].shape
    (200, 2)
    >>> est.score(X, Y) > 0.9
    True
    """

    _kind_rule = KindsFromLabels()

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn asks about the estimator."""
        tags = super().__sklearn_tags__()
        # It is no classifier, but where it has `predict_proba` scikit-learn looks for how many classes.
        tags.classifier_tags = ClassifierTags()
        return tags
