"""Searches on clusters of Dask and Ray: what comes of them, and of a worker that is lost."""

import multiprocessing
import os
import signal

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.model_selection import StackedGridSearchCV

# The libraries warn of their own doings when they start and end.
pytestmark = pytest.mark.filterwarnings("ignore")

X = np.random.default_rng(0).normal(size=(80, 3))
Y = pd.DataFrame({"sum": X.sum(axis=1), "square": X[:, 0] ** 2})
GRID = {"multitaskregressor__lr": [0.003, 0.03], "multitaskregressor__weight_decay": [0.0, 0.1]}


def search(kind, marker):
    # Within a function, so that it is sent by value: workers can't import tests.
    def ends_its_process_once(values):
        if os.path.exists(marker):
            os.remove(marker)
            os.kill(os.getpid(), signal.SIGKILL)
        return values

    settings = {"trunk": "mlp", "n_bags": 1, "linear_blend": False, "tree_blend": False}
    est = MultiTaskRegressor(max_epochs=2, preprocessing=None, random_state=0, **settings)
    return kind(make_pipeline(FunctionTransformer(ends_its_process_once), est), GRID, cv=2, refit=False)


def scores(search):
    return search.fit(X, Y).cv_results_["mean_test_score"]


@pytest.fixture(scope="module")
def dask():
    distributed = pytest.importorskip("distributed")
    from dask import config
    from distributed.utils import get_mp_context

    can_fork = "forkserver" in multiprocessing.get_all_start_methods()
    method = {"distributed.worker.multiprocessing-method": "forkserver" if can_fork else "spawn"}
    with config.set(method):
        context = get_mp_context()
        if can_fork:
            # One process imports the package, and workers, three in all, are its copies.
            context.set_forkserver_preload(["distributed", "sklearn_mtl.model_selection"])
        cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
        with cluster, distributed.Client(cluster):
            yield {"backend": "dask", "scatter": [X, Y]}


@pytest.fixture(scope="module")
def ray(tmp_path_factory):
    if "CI" in os.environ:
        pytest.skip("Ray takes half a minute to start and end")
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    # Its workers give way to all other processes otherwise, and may wait for long.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    yield {"backend": "ray", "n_jobs": 2}
    ray.shutdown()


@pytest.fixture(params=["dask", "ray"])
def cluster(request):
    return request.getfixturevalue(request.param)


def test_a_search_of_scikit_learn_is_the_same_to_the_bit(cluster, tmp_path):
    here = scores(search(GridSearchCV, tmp_path / "none"))
    with parallel_config(**cluster):
        np.testing.assert_array_equal(scores(search(GridSearchCV, tmp_path / "none")), here)


def test_a_stacked_search_is_the_same_though_a_worker_is_lost(cluster, tmp_path):
    here = scores(search(StackedGridSearchCV, tmp_path / "none"))
    marker = tmp_path / "marker"
    marker.touch()
    with parallel_config(**cluster):
        there = search(StackedGridSearchCV, marker).fit(X, Y)
    assert not marker.exists()
    np.testing.assert_allclose(there.cv_results_["mean_test_score"], here, atol=1e-6)
    assert there.stacked_["stacked"].all()
