"""Every part of a network trains, predicts, is searched over, saved and loaded on a card as on the CPU.

Where there is no card a stand-in is one, so that a tensor made on the wrong device is an error here.
"""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import KFold

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.balancing import GradDrop
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.model_selection import StackedGridSearchCV
from tests.device.answers import answers, assert_alike, without_chance
from tests.model_selection.search.recipes import CASES

# What the package ships, and what its page on extending it shows, each once.
PARTS = {
    f"{case.parameter}-{case.recipe!r}".replace("\n", ""): case
    for case in CASES
    if type(case.recipe).__module__.startswith(("sklearn_mtl.", "extending"))
}


@pytest.fixture(scope="module")
def data():
    X, Y = make_multitask(
        60, 4, n_regression=1, n_binary=1, n_multiclass=1, n_factors=2, missing_labels=0.2, random_state=0
    )
    return X, MultiTaskTarget(Y)


def make(case, device):
    est = MultiTaskClassifierRegressor(
        trunk="mlp", max_epochs=2, lr=0.02, batch_size=20, n_bags=1, linear_blend=False, random_state=0
    )
    est.set_params(precision="float64", trunk__hidden_sizes=(6, 5), device=device)
    if not case.of_texts:
        est.set_params(preprocessing=None)
    return est.set_params(**{case.parameter: clone(case.recipe)})


def search(est):
    # The nets of two folds are a stack on a card.
    est.set_params(max_epochs=1)
    grid = {"task_weights__binary0": [0.1]}
    return StackedGridSearchCV(est, grid, cv=KFold(2), refit=False, error_score="raise")


@pytest.mark.parametrize(
    "case", PARTS.values(), ids=[f"{number}-{of}" for number, of in enumerate(PARTS.values())]
)
def test_a_part_does_on_a_card_what_it_does_on_the_cpu(case, data, on_card):
    X, Y = data
    X = case.rows(X)
    expected = answers(without_chance(make(case, "cpu")).fit(X, Y), X)
    with on_card():
        est = without_chance(make(case, "cuda")).fit(X, Y)
        assert next(est.net_.module_.parameters()).device.type == "cuda"
        # On a card GradDrop draws there, and not from the generator that orders the rows.
        if not (torch.cuda.is_initialized() and isinstance(case.recipe, GradDrop)):
            assert_alike(answers(est, X), expected)
        assert np.isfinite(est.transform(X)).all()
        assert np.isfinite(search(make(case, "cuda")).fit(X, Y).cv_results_["mean_test_score"]).all()
