"""The history of a training that is drawn while it runs."""

import sys
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib import image
from sklearn.base import clone

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.inspection import LiveHistory, live_history
from sklearn_mtl.inspection.figure import pyplot
from sklearn_mtl.model_selection import StackedGridSearchCV

matplotlib.use("Agg")

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
Y = {"price": X[:, 0] + rng.normal(size=120), "type": np.where(X[:, 1] > 0, "flat", "house")}


def make(**params):
    params = {"trunk": "mlp", "n_bags": 1, "max_epochs": 3, "lr": 0.02, "random_state": 0, **params}
    return MultiTaskClassifierRegressor(**params, linear_blend=False, tree_blend=False)


@pytest.fixture
def drawn(monkeypatch):
    """The displays that were drawn, one after each epoch and one at the end."""
    found = []

    class Kept(live_history.TrainingHistoryDisplay):
        def plot(self, ax=None, **kwargs):
            found.append(self)
            return super().plot(ax, **kwargs)

    monkeypatch.setattr(live_history, "TrainingHistoryDisplay", Kept)
    monkeypatch.setattr(live_history, "BETWEEN_DRAWINGS", 0.0)
    monkeypatch.setattr(live_history, "TIMES_A_DRAWING", 0)
    return found


def test_each_epoch_is_drawn_to_the_file(drawn, tmp_path):
    path = tmp_path / "history.png"
    live = LiveHistory(path)
    est = make(callbacks=[live]).fit(X, Y)
    assert [len(display.history) for display in drawn] == [1, 2, 3, 3]
    assert [line.get_xdata().tolist() for line in drawn[1].lines_["weight"]] == [[1, 2], [1, 2]]
    assert drawn[-1].history.equals(est.history_)
    best = est.history_.set_index("epoch")["valid_loss"].idxmin()
    assert drawn[-1].kept_epochs == [best]
    assert image.imread(path).shape == (340, 1350, 4)
    assert list(tmp_path.iterdir()) == [path]
    assert vars(live) == {"path": path}
    assert pyplot().get_fignums() == []


def test_a_stack_stays_one_and_learns_the_same(drawn, tmp_path):
    quiet = make(n_bags=4, max_epochs=2).fit(X, Y)
    est = make(n_bags=4, max_epochs=2, callbacks=[("live", LiveHistory(str(tmp_path / "a.svg")))], verbose=1)
    est.fit(X, Y)
    assert est.history_.equals(quiet.history_)
    assert drawn[-1].history["bag"].nunique() == 4
    # Four nets of a stack have an epoch at once.
    assert drawn[0].history.groupby("bag").size().tolist() == [1, 1, 1, 1]
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")


def test_drawings_are_apart(tmp_path, monkeypatch):
    drawings = []
    monkeypatch.setattr(live_history._File, "__call__", lambda self, figure: drawings.append(figure))
    make(callbacks=[LiveHistory(tmp_path / "a.png")], max_epochs=6).fit(X, Y)
    assert len(drawings) == 2


def test_in_a_notebook_one_figure_is_shown_anew(drawn, monkeypatch):
    told = []
    handle = SimpleNamespace(update=lambda found: told.append(("update", found["data"][:4])))

    def display(found, display_id):
        told.append(("display", found["data"][:4]))
        return handle

    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(Image=dict, display=display))
    make(callbacks=[LiveHistory()], max_epochs=1).fit(X, Y)
    assert told == [("display", b"\x89PNG"), ("update", b"\x89PNG")]


def test_training_on_draws_all_epochs(drawn, tmp_path):
    est = make(callbacks=[LiveHistory(tmp_path / "a.png")])
    est.partial_fit(X, Y).partial_fit(X, Y)
    assert len(drawn[-1].history) == 2


def test_what_can_not_be_drawn_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match=r"`path` of LiveHistory must be .* no notebook\. Found None\."):
        make(callbacks=[LiveHistory]).fit(X, Y)
    path = str(tmp_path / "none" / "a.png")
    with pytest.raises(
        ValueError, match=r"`path` of LiveHistory must be .* that exists\. Found '.*a\.png'\."
    ):
        make(callbacks=[LiveHistory(path)]).fit(X, Y)
    est = make(callbacks=[LiveHistory(tmp_path / "a.png")])
    assert clone(est).callbacks[0].path == tmp_path / "a.png"
    with pytest.raises(ValueError, match=r"must end as a file that matplotlib writes, .*a\.weird'\."):
        make(callbacks=[LiveHistory(tmp_path / "a.weird")]).fit(X, Y)
    with pytest.raises(ValueError, match=r"`path` of LiveHistory must be .* Found 3\."):
        make(callbacks=[LiveHistory(3)]).fit(X, Y)
    with pytest.raises(ValueError, match=r"must not write to one place.* Found \['LiveHistory'\]"):
        StackedGridSearchCV(est, {"lr": [0.1]}, cv=2, error_score="raise").fit(X, Y)
