"""Optuna, TensorBoard and MLflow, as their users use them: what was reported is read back from them."""

import warnings

import numpy as np
import optuna
import pytest
from optuna_integration.skorch import SkorchPruningCallback
from sklearn import model_selection
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, MlflowLogger, TensorBoard

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.trunks import MLP

with warnings.catch_warnings():
    # Of the libraries that they are built with.
    warnings.simplefilter("ignore")
    import mlflow
    from mlflow import MlflowClient
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

X, VALUES = make_multitask(120, 4, n_regression=1, n_binary=1, string_labels=True, random_state=0)
Y = {"price": VALUES["regression0"], "kind": VALUES["binary0"]}


def make(*callbacks, **params):
    settings = {"trunk": MLP((16,)), "n_bags": 1, "lr": 0.02, "batch_size": 32, "max_epochs": 5}
    settings |= {"patience": 50, "random_state": 0, **params}
    return MultiTaskClassifierRegressor(callbacks=list(callbacks), **settings)


# Optuna


@pytest.fixture
def study():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=1)
    return optuna.create_study(
        sampler=optuna.samplers.GridSampler({"lr": [0.02, 1e-6, 0.03]}, 0), pruner=pruner
    )


def test_optuna_prunes_and_knows_of_it(study):
    study.enqueue_trial({"lr": 0.02})
    left_as_it_was = []

    def objective(trial):
        lr = trial.suggest_categorical("lr", [0.02, 1e-6, 0.03])
        est = make(SkorchPruningCallback(trial, "valid_loss_price"), lr=lr)
        try:
            est.fit(X, Y)
        except optuna.TrialPruned:
            left_as_it_was.append(not hasattr(est, "n_features_in_") and not hasattr(est, "net_"))
            raise
        assert list(trial.storage.get_trial(trial._trial_id).intermediate_values.values()) == (
            est.history_["valid_loss_price"].tolist()
        )
        return est.history_["valid_loss_price"].min()

    study.optimize(objective, n_trials=3)
    states = {trial.params["lr"]: trial.state.name for trial in study.trials}
    assert states[0.02] == "COMPLETE"
    assert states[1e-6] == "PRUNED"
    assert left_as_it_was == [True]
    (pruned,) = [trial for trial in study.trials if trial.state.name == "PRUNED"]
    assert list(pruned.intermediate_values) == [0, 1]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_pruned_trial_leaves_a_fitted_estimator_as_it_was(method):
    trial = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=-1.0)).ask()
    est = make().fit(X, Y)
    before, net = est.predict(X)["price"], est.net_
    est.set_params(callbacks=[SkorchPruningCallback(trial, "train_loss")])
    with pytest.raises(optuna.TrialPruned):
        getattr(est, method)(X, Y)
    assert est.net_ is net
    np.testing.assert_array_equal(est.predict(X)["price"], before)


def test_a_trial_is_pruned_in_cross_validation():
    trial = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=-1.0)).ask()
    est = make(SkorchPruningCallback(trial, "valid_loss"))
    with pytest.raises(optuna.TrialPruned):
        cross_val_score(est, X, np.column_stack([Y["price"]] * 2), cv=2, error_score="raise")


def test_several_nets_do_not_report_to_one_trial():
    trial = optuna.create_study().ask()

    class Own(Callback):
        def __init__(self, reports_to):
            self.reports_to = reports_to

    for callback in (SkorchPruningCallback(trial, "valid_loss"), Own(trial)):
        with pytest.raises(ValueError, match=rf"one place, as {type(callback).__name__} does.*n_bags=1"):
            make(callback, n_bags="auto").fit(X, Y)
        search = StackedGridSearchCV(make(callback), {"lr": [0.01, 0.02]}, cv=2, error_score="raise")
        with pytest.raises(ValueError, match="a search must not write to one place"):
            search.fit(X, Y)


def test_optunas_monitor_is_checked_before_training():
    trial = optuna.create_study().ask()
    with pytest.raises(ValueError, match=r"Found SkorchPruningCallback with monitor='valid_loss_prise'; the"):
        make(SkorchPruningCallback(trial, "valid_loss_prise")).fit(X, Y)
    with pytest.raises(ValueError, match="must not monitor validation where rows are not held out"):
        make(SkorchPruningCallback(trial, "valid_loss"), early_stopping=False).fit(X, Y)


# TensorBoard


def test_tensorboard_has_every_task(tmp_path):
    writer = SummaryWriter(tmp_path)
    est = make(TensorBoard(writer)).fit(X, Y)
    events = EventAccumulator(str(tmp_path)).Reload()
    scalars = {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    for column in ("train_loss_price", "valid_loss_kind"):
        assert scalars[f"Loss/{column}"] == pytest.approx(est.history_[column].tolist())
    assert scalars["Loss/valid_r2_price"] == pytest.approx(est.history_["valid_r2_price"].tolist())


# MLflow


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(tmp_path.as_uri())
    yield mlflow.set_experiment("ours").experiment_id
    mlflow.sklearn.autolog(disable=True)
    mlflow.set_tracking_uri(None)


def test_mlflow_logger_has_every_task_and_the_weights(experiment):
    client = MlflowClient()
    with mlflow.start_run() as run:
        est = make(MlflowLogger(run, client, create_artifact=True)).fit(X, Y)
    for column in ("train_loss_price", "valid_accuracy_kind"):
        logged = client.get_metric_history(run.info.run_id, column)
        assert [metric.value for metric in logged] == est.history_[column].tolist()
    assert "params.pth" in [artifact.path for artifact in client.list_artifacts(run.info.run_id)]


@pytest.fixture
def runs(experiment):
    """Turn autologging on, and return what lists the estimators, parameters and metrics that were logged."""
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    return lambda: [
        (run.data.tags["estimator_name"], run.data.params, run.data.metrics)
        for run in MlflowClient().search_runs([experiment])
    ]


@pytest.mark.parametrize("preprocessing", ["auto", "pca"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_autolog_does_not_take_a_part_of_the_estimator_for_the_model(runs, preprocessing, method):
    parameter = PCA(2) if preprocessing == "pca" else preprocessing
    getattr(make(preprocessing=parameter), method)(X, Y)
    StackedGridSearchCV(make(preprocessing=parameter), {"lr": [0.01, 0.02]}, cv=2).fit(X, Y)
    assert runs() == []
    # Autologging is still on.
    PCA(2).fit(X)
    assert [name for name, *_ in runs()] == ["PCA"]


def test_autolog_has_the_estimator_in_a_pipeline(runs):
    pipe = make_pipeline(make()).fit(X, Y)
    ((name, params, metrics),) = runs()
    assert name == "Pipeline"
    assert params["multitaskclassifierregressor__lr"] == "0.02"
    assert metrics == {"training_score": pytest.approx(pipe.score(X, Y))}


def test_autolog_has_a_search_with_its_candidates(runs):
    GridSearchCV(make(), {"lr": [0.01, 0.02]}, cv=2).fit(X, MultiTaskTarget(Y))
    logged = [name for name, *_ in runs()]
    assert sorted(logged) == ["GridSearchCV", *["MultiTaskClassifierRegressor"] * 2]


def test_folds_are_not_logged(runs):
    # By this name autologging finds it.
    model_selection.cross_val_score(make_pipeline(make()), X, MultiTaskTarget(Y), cv=3)
    assert runs() == []
