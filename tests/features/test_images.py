"""Images have their channels first and normalized, by the training rows, each row by itself."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from torch.utils.data import Dataset

from sklearn_mtl import MultiTaskClassifier, MultiTaskRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.features import AcceptedInput, Files, ImagePreprocessing, InputEncoder
from sklearn_mtl.trunks import CNN, MLP

RNG = np.random.default_rng(0)
PHOTOS = RNG.integers(0, 256, size=(40, 8, 6, 3), dtype=np.uint8)
IS_LIGHT = PHOTOS.mean((1, 2, 3)) > np.median(PHOTOS.mean((1, 2, 3)))


def quick(**params):
    settings = {"trunk": CNN((4,), hidden_sizes=()), "n_bags": 1, "max_epochs": 2, "random_state": 0}
    return MultiTaskClassifier(**{**settings, **params})


@pytest.mark.parametrize(
    ("shape", "channels", "expected"),
    [
        ((5, 8, 6, 3), "auto", (3, 8, 6)),
        ((5, 8, 6, 1), "auto", (1, 8, 6)),
        ((5, 3, 8, 6), "auto", (3, 8, 6)),
        ((5, 2, 8, 6), "auto", (2, 8, 6)),
        ((5, 8, 6, 4), "auto", (4, 8, 6)),
        ((5, 3, 8, 4), "first", (3, 8, 4)),
        ((5, 8, 6, 5), "last", (5, 8, 6)),
        ((5, 8, 6), "auto", (1, 8, 6)),
    ],
)
def test_channels_are_found_or_said(shape, channels, expected):
    images = RNG.normal(size=shape)
    fitted = ImagePreprocessing(channels).fit(images)
    assert fitted.shape_ == fitted.blocks()[0].shape == expected
    assert fitted.encode(images)["x"].shape == (5, *expected)


def test_each_channel_has_mean_0_and_variance_1_in_the_training_rows():
    images = RNG.normal(size=(30, 2, 8, 8)) * [[[3.0]], [[0.1]]] + [[[100.0]], [[-2.0]]]
    fitted = ImagePreprocessing().fit(images)
    found = fitted.encode(images)["x"]
    np.testing.assert_allclose(found.mean((0, 2, 3)), 0, atol=1e-9)
    np.testing.assert_allclose(found.std((0, 2, 3)), 1)
    np.testing.assert_array_equal(fitted.encode(images[3:5])["x"], found[3:5])
    as_given = ImagePreprocessing(normalize=False).fit(images).encode(images)["x"]
    np.testing.assert_array_equal(as_given, images)


def test_what_varies_a_little_about_a_large_mean_keeps_its_precision():
    images = 1e6 + 0.01 * RNG.normal(size=(24, 1, 6, 5))
    for X in (images, list(images)):
        rows = AcceptedInput.by("auto").read(BaseEstimator(), X, reset=True)
        found = InputEncoder("auto", np.float32, ImagePreprocessing()).fit(rows).transform(rows)["x"]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, (images - images.mean()) / images.std(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", [{"dtype": torch.bfloat16}, {"requires_grad": True}], ids=str)
def test_tensors_of_any_dtype(settings):
    images = torch.ones((3, 1, 8, 6), **settings)
    for X in (images, list(images)):
        assert AcceptedInput.by("auto").read(BaseEstimator(), X, reset=True).shape == (3, 1, 8, 6)


def test_auto_names_the_row_that_holds_no_image():
    images = list(PHOTOS[:3])
    for X, row in (([None, *images], 0), ([*images, None], 3), (pd.Series([*images, float("nan")]), 3)):
        with pytest.raises(
            ValueError, match=f"Each image of `X` must be an array.*Found (None|nan) in row {row}"
        ):
            AcceptedInput.by("auto").read(BaseEstimator(), X, reset=True)


def test_channels_that_may_be_first_or_last_are_warned_of():
    X = np.ones((5, 3, 8, 4))
    with pytest.warns(UserWarning, match=r"shape \(5, 3, 8, 4\) may have their channels first or last"):
        AcceptedInput.by("auto").read(BaseEstimator(), X, reset=True)
    AcceptedInput.by("auto").read(BaseEstimator(), np.ones((5, 1, 8, 1)), reset=True)
    for said in ("first", "last"):
        AcceptedInput.by(ImagePreprocessing(said)).read(BaseEstimator(), X, reset=True)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((2, 1, 8, 6), "datetime64[D]"), "`X` must hold real numbers. Found datetime64"),
        (list(np.ma.masked_equal(np.eye(8)[None, None], 1)), "Input X contains NaN"),
        (PHOTOS[:, :0], "with at least one pixel. Found shape"),
    ],
    ids=["dates", "masked", "empty"],
)
def test_what_is_no_number_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        AcceptedInput.by("auto").read(BaseEstimator(), X, reset=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_channel_that_does_not_vary_is_0(dtype):
    images = np.full((5, 1, 4, 4), 0.7, dtype=dtype)
    assert np.abs(ImagePreprocessing().fit(images).encode(images)["x"]).max() < 1e-12


def test_bytes_are_as_their_floats_and_lists_as_their_array():
    whole = quick().fit(PHOTOS, IS_LIGHT).predict_proba(PHOTOS)
    objects = np.empty(40, dtype=object)
    objects[:] = list(PHOTOS)
    for X in (
        PHOTOS.astype(np.float32),
        PHOTOS.astype(float),
        list(PHOTOS),
        objects,
        pd.Series(list(PHOTOS)),
    ):
        np.testing.assert_array_equal(quick().fit(X, IS_LIGHT).predict_proba(X), whole)
    moved = np.moveaxis(PHOTOS, -1, 1)
    np.testing.assert_array_equal(quick().fit(moved, IS_LIGHT).predict_proba(moved), whole)


class Photos(Dataset):
    def __len__(self):
        return len(PHOTOS)

    def __getitem__(self, i):
        return PHOTOS[i]


def test_images_are_streamed(tmp_path):
    np.save(tmp_path / "photos.npy", PHOTOS)
    mapped = np.load(tmp_path / "photos.npy", mmap_mode="r")
    in_memory = quick().fit(PHOTOS, IS_LIGHT).predict_proba(PHOTOS)
    for X in (mapped, Photos()):
        np.testing.assert_allclose(quick().fit(X, IS_LIGHT).predict_proba(X), in_memory, atol=1e-6)


def test_files_hold_it(tmp_path):
    est = quick(preprocessing=ImagePreprocessing("last")).fit(PHOTOS, IS_LIGHT)
    save(est, tmp_path / "it.mtl")
    again = load(tmp_path / "it.mtl")
    np.testing.assert_array_equal(again.predict_proba(PHOTOS), est.predict_proba(PHOTOS))
    assert repr(again.get_params()) == repr(est.get_params())


def test_grey_images_without_an_axis_of_channels():
    grey = PHOTOS.mean(-1)
    est = quick(preprocessing=ImagePreprocessing()).fit(grey, IS_LIGHT)
    same = quick().fit(grey[..., None], IS_LIGHT)
    np.testing.assert_array_equal(est.predict_proba(grey), same.predict_proba(grey[..., None]))


def test_a_search_over_its_parameters():
    from sklearn_mtl.model_selection import StackedGridSearchCV

    est = quick(preprocessing=ImagePreprocessing(), early_stopping=False)
    search = StackedGridSearchCV(est, {"preprocessing__normalize": [True, False]}, cv=2)
    assert np.isfinite(search.fit(PHOTOS, IS_LIGHT).cv_results_["mean_test_score"]).all()


UNEQUAL = [np.zeros((8, 6, 3)), *np.zeros((39, 7, 6, 3))]


@pytest.mark.parametrize(
    ("params", "X", "message"),
    [
        ({}, UNEQUAL, r"Images in `X` must all be of one size. Found \[\(7, 6, 3\), \(8, 6, 3\)\]"),
        ({"preprocessing": ImagePreprocessing("middle")}, PHOTOS, "`channels` of ImagePrep.* Found 'middle'"),
        ({"preprocessing": ImagePreprocessing(normalize=2)}, PHOTOS, "`normalize` of ImagePreprocessing"),
        ({"preprocessing": ImagePreprocessing()}, np.zeros((40, 3)), r"Images in `X` must be.*\(40, 3\)"),
        ({}, np.full((40, 8, 6, 3), np.nan), "NaN"),
    ],
    ids=["unequal", "channels", "normalize", "table", "nan"],
)
def test_errors_before_training(params, X, message, monkeypatch):
    monkeypatch.setattr("sklearn_mtl.training.net.MultiTaskNet.open_training", None)
    with pytest.raises(ValueError, match=message):
        quick(**params).fit(X, IS_LIGHT)


@pytest.mark.parametrize("shape", [(3, 8, 6, 1), (3, 8, 7, 3), (3, 3, 8, 6)])
def test_images_of_another_shape_are_refused_in_predict(shape):
    est = quick().fit(PHOTOS, IS_LIGHT)
    with pytest.raises(ValueError, match=r"Images in `X` must have the channels.*\(3, 8, 6\)"):
        est.predict(np.zeros(shape))


def test_statistics_are_those_of_the_rows_that_are_trained_on():
    est = quick(early_stopping=False).fit(PHOTOS, IS_LIGHT, sample_weight=np.arange(40) < 20)
    kind = est._fitted.encoder.kind
    np.testing.assert_allclose(kind.mean_.ravel(), PHOTOS[:20].mean((0, 1, 2)), rtol=1e-5)
    assert torch.is_tensor(next(est.net_.module_.parameters()))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_row_that_holds_no_number_is_named(value):
    images = np.ones((20, 2, 4, 5))
    y = np.arange(20.0)
    est = MultiTaskRegressor(trunk=MLP((4,)), n_bags=1, max_epochs=1).fit(images, y)
    images[13, 0, 2] = value
    what = "NaN" if np.isnan(value) else "infinity"
    of_files = Files(range(20), images.__getitem__)
    for given in (images, list(images), torch.from_numpy(images), of_files):
        for call in (est.predict, lambda X: clone(est).fit(X, y)):
            with pytest.raises(ValueError, match=rf"^Input X contains {what}\..* Found it in row 13\.$"):
                call(given)
    lacking = [None, *range(1, 20)]
    several = [
        {"photo": [None if at is None else images[at] for at in lacking], "t": y[:, None]},
        {"photo": Files(lacking, images.__getitem__), "t": y[:, None]},
    ]
    for X in several:
        with pytest.raises(ValueError, match=rf"{what}\. `X\['photo'\]` must .* in row 13\.$"):
            clone(est).set_params(trunk=None).fit(X, y)


def test_bytes_and_shares_of_1_are_told_apart():
    for given, other, numbers in ((PHOTOS, PHOTOS / 255, "0 to 1;"), (PHOTOS / 255, PHOTOS, "0 to 255;")):
        est = quick().fit(given, IS_LIGHT)
        with pytest.warns(UserWarning, match=f"images in `X` are from {numbers} those of `fit` were from 0"):
            est.predict(other)
        est.predict(given[:3])
        est.predict(np.zeros_like(given[:3]))
