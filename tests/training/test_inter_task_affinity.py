"""What a step for one task does to the loss of another."""

import numpy as np
import pytest
import torch

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.tasks import Regression
from sklearn_mtl.training import InterTaskAffinity

QUICK = {"trunk": "mlp", "n_bags": 1, "linear_blend": False, "tree_blend": False, "random_state": 0}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return X, {
        "sum": X.sum(axis=1),
        "first": X[:, 0] + 0.1 * rng.normal(size=60),
        "noise": rng.normal(size=60),
    }


def looked_at(est):
    return dict(est.net_.callbacks_)["look"]


def test_it_is_equation_1(data):
    """The first step is compared with one that is made by hand: gradients, a step, the losses after it."""

    class Batches(InterTaskAffinity):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            if training and not self.found_:
                self.module_, self.loss_ = net.network, net.criterion_.losses
                self.by_hand_ = self.expected(net, batch)
            super().on_batch_begin(net, batch=batch, training=training)

        def expected(self, net, batch):
            def losses():
                return self.loss_(self.module_(batch.inputs), batch.y, batch.weight)

            shared = list(self.module_.sharing.parameters())
            before = losses()
            found = torch.zeros(3, 3, device=net.device)
            for task in range(3):
                raw = self.module_(batch.inputs)
                column = raw[:, 0, task]
                ((column - batch.y[:, task]) ** 2).mean().backward()
                rate = net.lr / self.loss_.baseline[task]
                with torch.no_grad():
                    for parameter in shared:
                        parameter -= rate * parameter.grad
                    found[task] = 1 - losses().values / before.values
                    for parameter in shared:
                        parameter += rate * parameter.grad
                self.module_.zero_grad()
            return found

    est = MultiTaskRegressor(
        **QUICK, max_epochs=1, callbacks=[("look", Batches(1))], precision="float64"
    ).fit(*data)
    look = looked_at(est)
    np.testing.assert_allclose(look.found_[0][1].cpu(), look.by_hand_.cpu(), atol=1e-6)


def with_buffers():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.3))


@pytest.mark.parametrize(
    "params", [{}, {"trunk": None}, {"trunk__dropout": 0.3}, {"trunk": with_buffers()}], ids=range(4)
)
def test_the_training_goes_on_as_without_it(data, params):
    est = MultiTaskRegressor(**QUICK, max_epochs=2, batch_size=16).set_params(**params)
    plain = est.fit(*data).predict(data[0])["sum"]
    watched = est.set_params(callbacks=[("look", InterTaskAffinity(2))]).fit(*data).predict(data[0])["sum"]
    np.testing.assert_array_equal(watched, plain)
    assert len(looked_at(est).found_) == 4
    assert [epoch for epoch, _ in looked_at(est).found_] == [1, 1, 2, 2]


def test_a_task_without_a_label_in_a_batch_has_none(data):
    X, Y = data
    gaps = {**Y, "noise": np.where(np.arange(60) < 57, np.nan, Y["noise"])}
    est = MultiTaskClassifierRegressor(
        **QUICK, early_stopping=False, max_epochs=1, batch_size=15, callbacks=[("look", InterTaskAffinity(1))]
    )
    est.fit(X, gaps)
    missing = [found.isnan() for _, found in looked_at(est).found_]
    assert any(of_step[2].all() and of_step[:, 2].all() for of_step in missing)
    assert not any(of_step[:2, :2].any() for of_step in missing)
    assert np.isfinite(looked_at(est).mean(1)).all()


def test_where_nothing_is_shared_there_is_nothing_to_measure(data):
    est = MultiTaskRegressor(**QUICK, sharing="separate", callbacks=[InterTaskAffinity(1)])
    with pytest.raises(ValueError, match=r"several tasks train.*Found none in its SeparateTrunks"):
        est.fit(*data)


def test_a_loss_below_0_falls_by_its_absolute_value(data):
    """A Gaussian likelihood has a negative loss where it has learned; steps of a task lower its own loss."""
    X, Y = data
    kinds = {"sum": Regression(loss="gaussian_nll")}
    est = MultiTaskRegressor(**QUICK, tasks=kinds, max_epochs=150, lr=0.01, early_stopping=False)
    est.set_params(callbacks=[("look", InterTaskAffinity(1))]).fit(X, {**Y, "sum": Y["sum"]})
    assert est.history_["train_loss_sum"].iloc[-1] < 0
    of_itself = torch.stack([affinity[0, 0] for _, affinity in looked_at(est).found_])
    assert of_itself[-100:].median() > 0
