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
