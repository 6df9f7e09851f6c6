"""Optuna, TensorBoard and MLflow, as their users use them: what was reported is read back from them."""

import warnings
from functools import partial

import numpy as np
import optuna
import pytest
from optuna_integration.skorch import SkorchPruningCallback
from sklearn import model_selection
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, MlflowLogger, TensorBoard

from sklearn_mtl import (
    MultiTaskClassifier,
    MultiTaskClassifierRegressor,
    MultiTaskRegressor,
    MultiTaskTarget,
)
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
    # `set_experiment` makes an experiment the one of the whole process, by a variable of the environment too.
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")
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
@pytest.mark.parametrize("method", ["fit", "partial_fit", "search"])
def test_autolog_does_not_take_a_part_of_the_estimator_for_the_model(runs, preprocessing, method):
    est = make(preprocessing=PCA(2) if preprocessing == "pca" else preprocessing)
    if method == "search":
        StackedGridSearchCV(est, {"lr": [0.01, 0.02]}, cv=2).fit(X, Y)
    else:
        getattr(est, method)(X, Y)
    assert "PCA" not in [name for name, *_ in runs()]
    # Autologging is still on.
    PCA(2).fit(X)
    assert "PCA" in [name for name, *_ in runs()]


def by_position(est, weights):
    return est.fit(X, Y, weights)


def by_name(est, weights):
    return est.fit(y=Y, X=X, sample_weight=weights)


@pytest.mark.parametrize("fit", [by_position, by_name])
def test_autolog_has_the_estimator_with_parameters_and_weighted_score(runs, fit):
    weights = np.linspace(0, 3, len(X))
    est = make()
    assert fit(est, weights) is est
    ((name, params, metrics),) = runs()
    assert name == "MultiTaskClassifierRegressor"
    assert params["lr"] == "0.02"
    assert params["max_epochs"] == "5"
    assert metrics == {"training_score": pytest.approx(est.score(X, Y, weights))}
    assert est.score(X, Y, weights) != pytest.approx(est.score(X, Y))


def test_autolog_has_the_same_fit_as_without_it(runs):
    logged = make().fit(X, Y, X_val=X[:30], y_val={name: values[:30] for name, values in Y.items()})
    mlflow.sklearn.autolog(disable=True)
    plain = make().fit(X, Y, X_val=X[:30], y_val={name: values[:30] for name, values in Y.items()})
    np.testing.assert_array_equal(logged.predict(X)["price"], plain.predict(X)["price"])
    assert len(runs()) == 1


@pytest.mark.parametrize("kind", [MultiTaskClassifier, MultiTaskRegressor])
def test_autolog_has_the_metrics_of_one_task(runs, kind):
    y = Y["kind"] if kind is MultiTaskClassifier else Y["price"]
    est = kind(trunk=MLP((16,)), n_bags=1, max_epochs=2, random_state=0).fit(X, y)
    ((name, _, metrics),) = runs()
    assert name == kind.__name__
    known = "training_accuracy_score" if kind is MultiTaskClassifier else "training_r2_score"
    assert metrics[known] == pytest.approx(est.score(X, y))


@pytest.mark.filterwarnings("ignore")
def test_autolog_has_the_model(runs, monkeypatch):
    # Which packages a model needs takes it seconds to find out.
    log_model = partial(mlflow.sklearn.log_model, pip_requirements=["scikit-learn"])
    monkeypatch.setattr(mlflow.sklearn, "log_model", log_model)
    mlflow.sklearn.autolog(log_models=True, log_datasets=False, silent=True)
    est = make().fit(X, Y)
    (model,) = mlflow.search_logged_models(output_format="list")
    again = mlflow.sklearn.load_model(model.model_uri)
    np.testing.assert_array_equal(again.predict(X)["price"], est.predict(X)["price"])


def test_autolog_writes_into_the_run_that_is_active_unless_it_is_exclusive(runs):
    with mlflow.start_run() as run:
        make().fit(X, Y)
        assert mlflow.active_run() is run
    assert "training_score" in MlflowClient().get_run(run.info.run_id).data.metrics
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True, exclusive=True)
    with mlflow.start_run() as run:
        make().fit(X, Y)
    assert MlflowClient().get_run(run.info.run_id).data.metrics == {}


def test_a_fit_that_mlflow_can_not_log_is_a_fit(runs, monkeypatch):
    def refused(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(MlflowClient, "create_run", refused)
    est = make().fit(X, Y)
    assert est.predict(X)["price"].shape == (len(X),)


class Raising(Callback):
    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        raise self.error


@pytest.mark.parametrize("error", [OSError("from the callback"), KeyboardInterrupt()])
def test_an_error_of_the_fit_ends_the_run(runs, experiment, error):
    est = make(Raising(error))
    with pytest.raises(type(error)) as raised:
        est.fit(X, Y)
    assert raised.value is error
    assert mlflow.active_run() is None
    (run,) = MlflowClient().search_runs([experiment])
    assert run.info.status == "FAILED"
    # The next fit is logged as any other.
    make().fit(X, Y)
    assert len(MlflowClient().search_runs([experiment])) == 2


def test_an_estimator_that_a_callback_fits_is_not_logged(runs):
    class Inner(Callback):
        def on_train_end(self, net, **kwargs):
            make().fit(X, Y)

    make(Inner()).fit(X, Y)
    assert [name for name, *_ in runs()] == ["MultiTaskClassifierRegressor"]


def test_warnings_of_a_logged_fit_point_at_its_line(runs):
    with pytest.warns(UserWarning, match="nothing to learn") as caught:
        make().fit(X, {"one": ["a"] * len(X)})
    assert {warning.filename for warning in caught} == {__file__}


def test_autolog_has_the_estimator_in_a_pipeline(runs):
    pipe = make_pipeline(make()).fit(X, Y)
    ((name, params, metrics),) = runs()
    assert name == "Pipeline"
    assert params["multitaskclassifierregressor__lr"] == "0.02"
    assert metrics == {"training_score": pytest.approx(pipe.score(X, Y))}


@pytest.mark.parametrize("kind", [GridSearchCV, StackedGridSearchCV])
def test_autolog_has_a_search_with_its_candidates(runs, kind):
    search = kind(make(), {"lr": [0.01, 0.02]}, cv=2).fit(X, MultiTaskTarget(Y))
    logged = [name for name, *_ in runs()]
    assert sorted(logged) == sorted([kind.__name__, *["MultiTaskClassifierRegressor"] * 2])
    (metrics,) = [metrics for name, _, metrics in runs() if name == kind.__name__]
    assert metrics["best_cv_score"] == pytest.approx(search.best_score_)


def test_folds_are_not_logged(runs):
    # By this name autologging finds it.
    model_selection.cross_val_score(make_pipeline(make()), X, MultiTaskTarget(Y), cv=3)
    assert runs() == []
