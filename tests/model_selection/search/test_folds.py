"""A fold gives each trial its rows, and does once what trials have in common."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mtl.model_selection.search.folds import FailedFit, FitRecorder, Fold, with_last

TRAIN, TEST = np.arange(60), np.arange(60, 90)


@pytest.fixture
def fold(drawn, target):
    X, _ = drawn
    return Fold(X, target, {"sample_weight": np.arange(90.0), "note": "all"}, TRAIN, TEST)


class CountedScaler(StandardScaler):
    n_fits = 0

    def fit(self, X, y=None):
        CountedScaler.n_fits += 1
        return super().fit(X, y)


def test_fit_is_called_with_the_training_rows(fold, drawn):
    (X, y), kwargs = fold.fit_call
    np.testing.assert_array_equal(X, drawn[0][:60])
    np.testing.assert_array_equal(y["sold"], drawn[1]["sold"][:60])
    np.testing.assert_array_equal(kwargs["sample_weight"], np.arange(60.0))
    assert kwargs["note"] == "all"


def test_without_y_there_is_none(drawn):
    fold = Fold(drawn[0], None, {}, TRAIN, TEST)
    assert len(fold.fit_call.args) == 1
    assert fold.to_score("test", object())[1] is None


def test_rows_to_score_are_shared_by_estimators_of_one_encoder(fold, cheap):
    first, second = (cheap(max_epochs=1).fit(*fold.fit_call.args) for _ in range(2))
    X, y = fold.to_score("test", first)
    assert fold.to_score("test", first) == (X, y)
    other, same_y = fold.to_score("test", second)
    assert other is not X
    assert same_y is y
    assert fold.shared_rows(first._fitted.encoder, "test").X is X
    assert len(fold.to_score("train", first)[0]) == 60


def test_a_pipeline_is_scored_on_rows_of_its_own(fold):
    # Its steps may write to what they are given.
    pipe = make_pipeline(StandardScaler())
    (X, y), (again, same_y) = fold.to_score("test", pipe), fold.to_score("test", pipe)
    assert not np.shares_memory(X, again)
    assert same_y is y


def test_another_process_is_sent_the_rows_alone(fold, cheap):
    fold.to_score("test", cheap(max_epochs=1).fit(*fold.fit_call.args))
    sent = fold.to_send()
    assert sent.X is fold.X
    assert (sent._shared, sent._labels, sent._earlier_steps) == ({}, {}, {})
    assert sent.stages is not fold.stages


def test_equal_steps_before_the_last_are_fitted_once(fold, cheap, monkeypatch):
    monkeypatch.setattr(CountedScaler, "n_fits", 0)
    fold, calls = replace(fold, fit_params={}), []
    for lr, with_mean in [(0.01, True), (0.03, True), (0.01, False)]:
        last = cheap(lr=lr)
        pipe = make_pipeline(CountedScaler(with_mean=with_mean), last)
        fitted, call = fold.fit_earlier_steps(pipe, last)
        assert fitted[-1] is last
        calls.append(call)
    assert CountedScaler.n_fits == 2
    assert calls[0] is calls[1]
    np.testing.assert_allclose(calls[0].args[0].mean(axis=0), 0, atol=1e-12)
    assert abs(calls[2].args[0].mean()) > 1e-3


def test_without_earlier_steps_the_call_is_that_of_fit(fold, cheap):
    last = cheap()
    estimator, call = fold.fit_earlier_steps(last, last)
    assert estimator is last
    np.testing.assert_array_equal(call.args[0], fold.fit_call.args[0])
    assert sorted(call.kwargs) == ["note", "sample_weight"]


def test_the_last_step_is_replaced_within_pipelines_too():
    inner = Pipeline([("scale", StandardScaler()), ("last", "old")])
    outer = Pipeline([("first", StandardScaler()), ("inner", inner)])
    found = with_last(outer, "new")
    assert found.steps[-1][1].steps[-1] == ("last", "new")
    assert inner.steps[-1] == ("last", "old")
    assert found.steps[0][1] is outer.steps[0][1]
    assert with_last("old", "new") == "new"


def test_a_recorder_keeps_the_call_and_asks_for_the_same_metadata(cheap):
    recorder = FitRecorder(cheap())
    assert recorder.fit(1, 2, sample_weight=3) is recorder
    assert recorder.call == ((1, 2), {"sample_weight": 3})
    assert str(recorder.get_metadata_routing()) == str(cheap().get_metadata_routing())


def test_a_failed_fit_raises_its_error():
    error = ValueError("no")
    with pytest.raises(ValueError, match="no") as raised:
        FailedFit(error).fit(pd.DataFrame(), None)
    assert raised.value is error
