"""What an estimator can do besides, on a card as on the CPU: a way of use each."""

import pickle
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_mtl import MultiInput, MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.augmentation import FeatureDropout, ImageAugmentation, Mixup
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.ensemble import MultiTaskVoting
from sklearn_mtl.export import load, save
from sklearn_mtl.inspection import sharing_report, task_affinity
from sklearn_mtl.model_selection import (
    StackedHalvingGridSearchCV,
    cross_val_predict_tasks,
)
from sklearn_mtl.sampling import ClassBalanced
from sklearn_mtl.targets import rows_as_objects
from sklearn_mtl.tasks import (
    BoxRegression,
    Classification,
    Multilabel,
    Ordinal,
    Regression,
    Segmentation,
    Survival,
    TokenClassification,
)
from sklearn_mtl.training.checkpoints import CheckpointFolder
from sklearn_mtl.trunks import CNN, MLP, RNN, Fusion
from tests.device.answers import answers, assert_alike, without_chance

RNG = np.random.default_rng(0)
N = 70
VALUES, LABELS = make_multitask(
    N, 4, n_regression=1, n_binary=1, n_multiclass=1, n_factors=2, missing_labels=0.2, random_state=0
)
TABLE = pd.DataFrame(VALUES, columns=list("abcd"))
TABLE["kind"] = np.where(TABLE["a"] > 0, "high", "low")
TABLE.loc[::9, "b"] = np.nan
IMAGES = RNG.normal(size=(N, 1, 8, 8)).astype(np.float32)
SEQUENCES = rows_as_objects([RNG.normal(size=(length, 2)) for length in RNG.integers(2, 6, size=N)])
TAGS = rows_as_objects([np.where(row[:, 0] > 0, "B-city", "O").astype(object) for row in SEQUENCES])
KINDS = {
    "grade": np.digitize(VALUES[:, 0], [-0.5, 0.5]),
    "relapse": np.column_stack([np.exp(VALUES[:, 1]), VALUES[:, 2] > 0]),
    "sets": (VALUES > 0).astype(int),
    "where": np.column_stack([VALUES[:, :2], VALUES[:, :2] + 1]),
    "ends": VALUES[:, :2],
    "share": np.abs(VALUES[:, 3]) + 0.1,
}


def quick(device, **params):
    given = {"trunk": MLP((6,)), "n_bags": 1, "max_epochs": 2, "batch_size": 16, "linear_blend": False}
    given |= {"precision": "float64", "random_state": 0}
    return without_chance(MultiTaskClassifierRegressor(**{**given, "device": device, **params}))


def fitted(device, X=TABLE, Y=LABELS, **params):
    return answers(quick(device, **params).fit(X, Y), X)


def of_kinds(device):
    tasks = {
        "grade": Ordinal(),
        "relapse": Survival(5),
        "sets": Multilabel(pos_weight="balanced"),
        "where": BoxRegression(),
        "share": Regression("gamma"),
    }
    return fitted(device, Y=KINDS, tasks=tasks)


def sample_weighted(device):
    est = quick(device, sampler="sample_weighted")
    return answers(est.fit(TABLE, LABELS, sample_weight=np.linspace(0.5, 2, N)), TABLE)


def of_losses(device):
    ways = {
        "quantile": Regression("quantile"),
        "poisson": Regression("poisson"),
        "gaussian": Regression("gaussian_nll"),
        "absolute": Regression("absolute_error"),
        "log": Regression(transform="log"),
        "focal": Classification("focal", class_weight="balanced"),
        "smooth": Classification(label_smoothing=0.1),
    }
    of = {"focal": KINDS["grade"], "smooth": KINDS["grade"]}
    est = quick(device, tasks=ways).fit(TABLE, {name: of.get(name, KINDS["share"]) for name in ways})
    intervals = {f"interval of {name}": of for name, of in est.predict_interval(TABLE, 0.9).items()}
    return answers(est, TABLE) | intervals


def went_on(device):
    est = quick(device, n_bags=4, warm_start=True).fit(TABLE, LABELS)
    return answers(est.set_params(max_epochs=4).fit(TABLE, LABELS), TABLE)


class Ended(Exception):
    """Ends a fit."""


def from_a_checkpoint(device):
    write = CheckpointFolder.write

    def ended(self, *args):
        write(self, *args)
        raise Ended

    with TemporaryDirectory() as folder:
        est = quick(device, n_bags=4, checkpoint=folder)
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(CheckpointFolder, "write", ended)
            with pytest.raises(Ended):
                est.fit(TABLE, LABELS)
        return answers(est.fit(TABLE, LABELS), TABLE)


def in_parts(device):
    est = quick(device, early_stopping=False)
    for _ in range(2):
        est.partial_fit(TABLE, {"regression0": LABELS["regression0"]})
    return answers(est, TABLE)


def saved(device, path):
    est = quick(device, n_bags=2, gradient_conflict=1).fit(TABLE, LABELS)
    save(est, path)
    again = pickle.loads(pickle.dumps(est))
    assert_alike(answers(again, TABLE), answers(est, TABLE), rtol=0, atol=0)
    return answers(load(path), TABLE)


def halved(device):
    search = StackedHalvingGridSearchCV(
        quick(device, max_epochs=3), {"lr": [0.001, 0.01, 0.05]}, min_epochs=1, cv=2
    )
    return answers(search.fit(VALUES, MultiTaskTarget(LABELS)), VALUES)


def several_inputs(device):
    trunk = Fusion({"image": CNN((4,)), "table": MLP((6,))})
    return fitted(device, MultiInput({"image": IMAGES, "table": TABLE}), trunk=trunk, max_epochs=1)


WAYS = {
    "blends": lambda device: fitted(device, linear_blend=True, tree_blend=True),
    "bag": lambda device: fitted(device, n_bags=4),
    "kinds": of_kinds,
    "losses": of_losses,
    "warm start": went_on,
    "partial fit": in_parts,
    "checkpoint": from_a_checkpoint,
    "float32": lambda device: fitted(device, precision="float32"),
    "class balanced": lambda device: fitted(device, sampler=ClassBalanced("multiclass0")),
    "task balanced": lambda device: fitted(device, sampler="task_balanced"),
    "sample weighted": sample_weighted,
    "mixup": lambda device: fitted(device, augmentation=Mixup()),
    "feature dropout": lambda device: fitted(device, augmentation=FeatureDropout()),
    "images": lambda device: fitted(
        device, IMAGES, trunk=CNN((4,), hidden_sizes=(6,)), augmentation=ImageAugmentation()
    ),
    "segmentation": lambda device: fitted(
        device, IMAGES, {"mask": IMAGES[:, 0] > 0}, tasks={"mask": Segmentation()}, trunk=CNN((4,))
    ),
    "tokens": lambda device: fitted(
        device,
        SEQUENCES,
        {"tags": TAGS, "regression0": LABELS["regression0"]},
        tasks={"tags": TokenClassification()},
        trunk=RNN(hidden_size=4),
    ),
    "several inputs": several_inputs,
    "other optimizer": lambda device: fitted(device, optimizer="SGD", n_bags=2),
    "Adagrad": lambda device: fitted(device, optimizer=torch.optim.Adagrad),
    "clipped": lambda device: fitted(device, gradient_clip=0.5, lr_schedule="cosine", n_bags=3),
    "halving": halved,
    "voting": lambda device: answers(
        MultiTaskVoting([("one", quick(device)), ("two", quick(device, lr=0.02))]).fit(TABLE, LABELS), TABLE
    ),
    "affinity of tasks": lambda device: {
        measure: task_affinity(quick(device), TABLE, LABELS, measure=measure).to_numpy()
        for measure in ("affinity", "gradient_cosine", "cka")
    },
    "sharing report": lambda device: {
        "scores": sharing_report(quick(device), VALUES, LABELS, cv=2).scores.to_numpy()
    },
    "out of fold": lambda device: dict(
        cross_val_predict_tasks(quick(device), VALUES, MultiTaskTarget(LABELS), cv=2)
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_is_alike_on_both(way, on_card):
    expected = way("cpu")
    with on_card():
        found = way("cuda")
    assert_alike(found, expected, *((1e-3, 1e-4) if way is WAYS["float32"] else ()))


def test_a_model_of_a_card_is_loaded_with_and_without_it(on_card, tmp_path):
    path = tmp_path / "model.mtl"
    expected = saved("cpu", path)
    with on_card():
        assert_alike(answers(load(path).set_params(device="cuda"), TABLE), expected)
        assert_alike(saved("cuda", path), expected)


def test_what_an_optimizer_keeps_is_where_its_parameters_are(on_card):
    # A net that goes on by itself after a stack would be refused by a card.
    with on_card():
        est = quick("cuda", n_bags=4, warm_start=True).fit(TABLE, LABELS)
        kept = [
            (parameter.device, tensor.device)
            for net in est.nets_
            for parameter, state in net.optimizer_.state.items()
            for tensor in state.values()
        ]
    assert kept
    assert {device.type for pair in kept for device in pair} == {"cuda"}
