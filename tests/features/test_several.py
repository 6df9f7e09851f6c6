"""Tests of several inputs, as they are read one by one."""

import numpy as np
import pytest

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.trunks import CNN, TextEncoder

N_ROWS = 24
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(N_ROWS, 6, 5, 3), dtype=np.uint8)
TABLE = RNG.normal(size=(N_ROWS, 3))
TEXTS = [f"a {'good' if row % 2 else 'bad'} film" for row in range(N_ROWS)]
SEQUENCES = [RNG.normal(size=(int(steps), 2)) for steps in RNG.integers(2, 9, size=N_ROWS)]
Y = {"price": RNG.normal(size=N_ROWS)}


def estimator(trunk=None, **parameters):
    return MultiTaskClassifierRegressor(
        trunk=trunk,
        n_bags=1,
        max_epochs=1,
        random_state=0,
        linear_blend=False,
        tree_blend=False,
        **parameters,
    )


@pytest.mark.parametrize(
    ("trunk", "values"), [(CNN((4,), hidden_sizes=(4,)), IMAGES), (TextEncoder(embedding_size=4), TEXTS)]
)
def test_no_row_may_lack_the_only_input(trunk, values):
    est = estimator(trunk).fit({"it": values}, Y)
    some = [*values[:-4], *[None] * 4]
    for call in (est.predict, lambda X: estimator(trunk).fit(X, Y)):
        with pytest.raises(ValueError, match=r"`X\['it'\]` must be there in every row, since .* in row 20\."):
            call({"it": some})


def test_no_row_may_lack_a_table():
    X = {"photo": IMAGES, "table": TABLE}
    est = estimator().fit(X, Y)
    message = r"`X\['table'\]` must be there in every row, since it is a table, .* in row "
    with pytest.raises(ValueError, match=message + "0"):
        est.predict({**X, "table": [None] * N_ROWS})
    with pytest.raises(ValueError, match=message + "23"):
        estimator().fit({**X, "table": [*TABLE.tolist()[:-1], None]}, Y)


def test_rows_in_errors_are_those_of_x():
    X = {"photo": IMAGES, "notes": [None, None, " ", *TEXTS[3:]]}
    with pytest.raises(ValueError, match=r"`X\['notes'\]` must hold texts.* in row 2\."):
        estimator().fit(X, Y)


def test_a_column_of_objects_is_read_as_it_would_be_alone():
    series = np.empty(N_ROWS, dtype=object)
    series[:] = list(RNG.normal(size=(N_ROWS, 4)))
    alone = estimator().fit(series, Y)
    spec = estimator().fit({"a": series, "b": list(series)}, Y)._fitted.encoder.spec
    assert alone._fitted.encoder.spec.is_sequence
    assert spec.of("a").blocks[0].shape == alone._fitted.encoder.spec.blocks[0].shape
    assert spec.of("b").is_table


@pytest.mark.parametrize("form", ["array", "list", "memmap"])
def test_an_image_of_nothing_but_nan_is_none(form, tmp_path):
    images = IMAGES.astype(np.float32)
    images[2] = np.nan
    given = list(images) if form == "list" else images
    if form == "memmap":
        given = np.memmap(tmp_path / "images", images.dtype, "w+", shape=images.shape)
        given[:] = images
    of_none = [*IMAGES.astype(np.float32)]
    of_none[2] = None
    expected = estimator().fit({"photo": of_none, "table": TABLE}, Y)
    found = estimator().fit({"photo": given, "table": TABLE}, Y)
    np.testing.assert_allclose(
        found.predict({"photo": given, "table": TABLE})["price"],
        expected.predict({"photo": of_none, "table": TABLE})["price"],
        rtol=1e-5,
    )
    given[5] = np.where(np.arange(5)[:, None] == 1, np.nan, np.float32(1.0)) + np.zeros((6, 5, 3), np.float32)
    with pytest.raises(ValueError, match=r"X\['photo'\]"):
        found.predict({"photo": given, "table": TABLE})


def test_an_estimator_of_a_table_refuses_several_inputs():
    with pytest.raises(TypeError, match="`X` must be an array or a DataFrame"):
        estimator().fit(TABLE, Y).predict({"table": TABLE})
