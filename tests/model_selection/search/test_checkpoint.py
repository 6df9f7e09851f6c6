"""A search that was ended goes on from its checkpoint, and has the results of one that was not."""

import numpy as np
import pytest

pytest.importorskip("safetensors")

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.model_selection import ManifoldSearchCV, StackedGridSearchCV, StackedHalvingGridSearchCV
from sklearn_mtl.training.checkpoints import CheckpointFolder
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.stacking.trainer import StackedTrainer
from sklearn_mtl.trunks import MLP

X, Y = make_multitask(90, 4, n_regression=1, n_binary=1, noise=1.0, random_state=0)


def quick(**params):
    settings = {"trunk": MLP((6,)), "n_bags": 1, "max_epochs": 4, "batch_size": 32}
    general = {"linear_blend": False, "tree_blend": False, "preprocessing": None, "random_state": 0}
    return MultiTaskClassifierRegressor(**{**general, **settings, **params})


class Ended(BaseException):
    """Ends a process, as far as the search knows."""


def fit_ended_at(search, number):
    write, names = CheckpointFolder.write, list[str]()

    def ended(self, name, *args):
        write(self, name, *args)
        names.append(name)
        if len(names) == number:
            raise Ended

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(CheckpointFolder, "write", ended)
        with pytest.raises(Ended):
            search.fit(X, Y)


def assert_same(found, expected):
    for name, values in expected.cv_results_.items():
        if not name.endswith("_time"):
            np.testing.assert_array_equal(found.cv_results_[name], values, err_msg=name)
    assert found.best_params_ == expected.best_params_
    np.testing.assert_array_equal(found.predict(X)["regression0"], expected.predict(X)["regression0"])


GRID = {"lr": [0.002, 0.02], "task_weights__regression0": [0.5, 2.0]}


def stacked(est, grid=GRID, **params):
    return StackedGridSearchCV(est, grid, cv=2, **params)


@pytest.fixture(scope="module")
def undisturbed():
    return stacked(quick(early_stopping=False), max_members=4).fit(X, Y)


@pytest.mark.parametrize("number", [2, 6, 9])
def test_stacks_go_on_and_those_that_are_done_are_not_trained_again(
    tmp_path, monkeypatch, undisturbed, number
):
    params, expected = {"early_stopping": False}, undisturbed
    fit_ended_at(stacked(quick(checkpoint=tmp_path, **params), max_members=4), number)
    epochs, epoch = [], StackedTrainer._epoch

    def counted(self):
        epochs.append(len(self.members))
        return epoch(self)

    monkeypatch.setattr(StackedTrainer, "_epoch", counted)
    found = stacked(quick(checkpoint=tmp_path, **params), max_members=4).fit(X, Y)
    assert_same(found, expected)
    # Two stacks of four epochs: those that were written down are not trained again.
    assert epochs == [4] * {2: 6, 6: 5, 9: 3}[number]
    assert found.best_estimator_.checkpoint == tmp_path
    epochs.clear()
    monkeypatch.setattr(MultiTaskNet, "run_single_epoch", None)
    assert_same(stacked(quick(checkpoint=tmp_path, **params), max_members=4).fit(X, Y), expected)
    assert epochs == []


def test_nets_that_are_in_no_stack_go_on(tmp_path):
    grid = {"optimizer": ["sgd", "adam"]}
    expected = stacked(quick(), grid).fit(X, Y)
    fit_ended_at(stacked(quick(checkpoint=tmp_path), grid), 9)
    assert_same(stacked(quick(checkpoint=tmp_path), grid).fit(X, Y), expected)


def halving(**params):
    grid = {"lr": [0.002, 0.02], "weight_decay": [0.0, 0.1]}
    return StackedHalvingGridSearchCV(quick(**params), grid, min_epochs=1, cv=2, factor=2)


@pytest.fixture(scope="module")
def halved():
    return halving().fit(X, Y)


@pytest.mark.parametrize("number", [1, 11])
def test_a_search_by_halving_goes_on(tmp_path, halved, number):
    fit_ended_at(halving(checkpoint=tmp_path), number)
    assert_same(halving(checkpoint=tmp_path).fit(X, Y), halved)


def test_a_manifold_in_a_pipeline_goes_on(tmp_path):
    def search(**params):
        return ManifoldSearchCV(
            make_pipeline(StandardScaler(), quick(max_epochs=3, **params)), preferences=3, cv=2
        )

    expected = search().fit(X, Y)
    fit_ended_at(search(checkpoint=tmp_path), 2)
    found = search(checkpoint=tmp_path).fit(X, Y)
    assert_same(found, expected)
    np.testing.assert_array_equal(
        found.at([1, 1]).predict(X)["regression0"], expected.at([1, 1]).predict(X)["regression0"]
    )


@pytest.mark.parametrize(
    ("params", "grid", "found"),
    [
        ({}, {"lr": [0.002, 0.03]}, "`the candidates` was"),
        ({"max_epochs": 2}, {"lr": [0.002, 0.02]}, "`max_epochs` was 1, and is 2"),
        (
            {"random_state": None},
            {"lr": [0.002, 0.02]},
            "`random_state` of an estimator with a",
        ),
    ],
)
def test_another_search_is_refused(tmp_path, params, grid, found):
    est = quick(checkpoint=tmp_path, max_epochs=1)
    stacked(est, {"lr": [0.002, 0.02]}, refit=False).fit(X, Y)
    with pytest.raises(ValueError, match=found):
        stacked(est.set_params(**params), grid).fit(X, Y)


def test_a_search_holds_its_folder(tmp_path):
    search = stacked(quick(checkpoint=tmp_path, max_epochs=1), refit=False)
    with (
        CheckpointFolder(str(tmp_path / "search")).held(),
        pytest.raises(ValueError, match="that no other fit writes to"),
    ):
        search.fit(X, Y)
    assert search.fit(X, Y).best_params_ == search.fit(X, Y).best_params_


def test_a_checkpoint_is_no_parameter_of_candidates(tmp_path):
    with pytest.raises(ValueError, match="`checkpoint` must be that of the estimator of a search"):
        stacked(quick(), {"checkpoint": [tmp_path]}, error_score="raise").fit(X, Y)
