"""What a card makes of it: steps that are replayed, searches that are stacked, many tasks, many rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from statistics import median
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, KFold, train_test_split

from benchmarks import by_hand, by_hand_captured
from benchmarks.data import Data, Recipe, synthetic
from benchmarks.harness import Options, Result
from benchmarks.peers import ours, skorch_net
from benchmarks.quality.sets import diamonds
from sklearn_mtl import MultiTaskClassifier, MultiTaskTarget
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.features import FeatureEncoder
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.training.capture import of_net
from sklearn_mtl.training.stacking import trainer
from sklearn_mtl.trunks import MLP

N_WEIGHTS, N_FOLDS = 16, 5
Times = dict[str, list[float]]


def measure(options: Options) -> Iterator[list[Result]]:
    """Yield the results of each question; none where torch sees no card."""
    if not torch.cuda.is_available():
        print("gpu left out: torch sees no CUDA device here.")
        return
    print(f"on {torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    for question in (_steps, _fits, _searches, _tasks, _predictions, _precisions):
        yield question(options)


def _results(case: str, times: Times, notes: dict[str, str] | None = None, unit: str = "s") -> list[Result]:
    reference = next(iter(times.values()))
    return [
        Result(
            case,
            1,
            name,
            tuple(taken),
            tuple(own / other for own, other in zip(taken, reference, strict=False)),
            unit,
            (notes or {}).get(name, ""),
        )
        for name, taken in times.items()
    ]


def _seconds(work: Callable[[], Any]) -> float:
    torch.cuda.synchronize()
    start = perf_counter()
    work()
    torch.cuda.synchronize()
    return perf_counter() - start


def _in_turn(contestants: Mapping[str, Callable[[], Any]], rounds: int, *, warm_up: bool = True) -> Times:
    for work in contestants.values() if warm_up else ():
        work()
    times: Times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            times[name].append(_seconds(work))
    return times


@contextmanager
def _never_recorded() -> Iterator[None]:
    """Let every step be made as it comes, inside the block."""
    modules: tuple[Any, ...] = (of_net, trainer)
    before = [module.RECORDED_ON for module in modules]
    for module in modules:
        module.RECORDED_ON = frozenset()
    try:
        yield
    finally:
        for module, kinds in zip(modules, before, strict=True):
            module.RECORDED_ON = kinds


def _steps(options: Options) -> list[Result]:
    """Return the seconds of one step of small networks, as it comes and replayed: those of more epochs."""
    rounds = options.rounds_or(3)
    data = synthetic(1_024 if options.quick else 16_384, 32)
    found = []
    settings: dict[str, dict[str, Any]] = {
        "MLP 64-64": {},
        "MLP 256-256": {"trunk": MLP((256, 256))},
        "default TabM": {"trunk": "tabm", "ema_decay": 0.99},
        "a stack of 16 MLP 64-64": {"n_bags": 16},
    }
    for name, changed in settings.items():
        step = partial(_one_step, data, changed)
        with _never_recorded():
            step(1)
        step(1)
        times: Times = {"as it comes": [], "replayed": []}
        for _ in range(rounds):
            with _never_recorded():
                times["as it comes"].append(step(1))
            times["replayed"].append(step(9))
        found += _results(f"one step of {name}, {data}, batch 256", times)
    return found


def _one_step(data: Data, changed: Mapping[str, Any], n_more: int) -> float:
    few, many = (Recipe(epochs, batch_size=256, hidden=(64, 64)) for epochs in (1, 1 + n_more))
    short, long = (_seconds(partial(_fit, data, recipe, changed)) for recipe in (few, many))
    return (long - short) / (n_more * -(-len(data.X) // 256))


def _fit(data: Data, recipe: Recipe, changed: Mapping[str, Any] = MappingProxyType({})) -> Any:
    return _ours(recipe, **changed).fit(data.X, data.by_name)


def _ours(recipe: Recipe, **changed: Any) -> Any:
    return ours(recipe, **{"device": "cuda", **changed})


def _fits(options: Options) -> list[Result]:
    """Return the seconds of whole fits, by hand and by this package."""
    rounds = options.rounds_or(3)
    if options.quick:
        cases = [(synthetic(1_024, 8), Recipe(epochs=3, batch_size=64, hidden=(16,)))]
    else:
        cases = [
            (synthetic(20_000, 64), Recipe(epochs=50, batch_size=256)),
            (synthetic(200_000, 32), Recipe(epochs=20, batch_size=1024)),
        ]
    found = []
    for data, recipe in cases:
        contestants: dict[str, Callable[[], Any]] = {
            "captured loop by hand": partial(by_hand_captured.fit, data, recipe),
            "sklearn_mtl": partial(_fit, data, recipe),
        }
        found += _results(f"one fit, {data}, {recipe}", _in_turn(contestants, rounds))
    return found


def _diamonds() -> Data:
    """Return the diamonds, encoded by this package's default preprocessing."""
    X, y, _, _ = diamonds()
    encoder = FeatureEncoder("auto").fit(X)
    price = y["price"]
    number = ((price - price.mean()) / price.std()).astype(np.float32)
    code = np.unique(y["cut"], return_inverse=True)[1].astype(np.int64)
    return Data(
        np.asarray(encoder.transform(X)["x"], dtype=np.float32),
        number,
        code,
        encoder.spec.single.n_continuous,
    )


def _searches(options: Options) -> list[Result]:
    """Return the seconds of a search of 16 weights × 5 folds, beside one fit and a search one by one."""
    if options.quick:
        data, recipe = synthetic(640, 8), Recipe(epochs=3, batch_size=64, hidden=(16,))
    else:
        data, recipe = _diamonds(), Recipe(epochs=20, batch_size=256, hidden=(64, 64))
    weights = np.geomspace(0.05, 20, N_WEIGHTS).tolist()
    folds = KFold(N_FOLDS, shuffle=True, random_state=0)
    target = MultiTaskTarget(data.by_name)

    def stacked() -> Any:
        search = StackedGridSearchCV(_ours(recipe), {"task_weights__code": weights}, cv=folds)
        return search.fit(data.X, target)

    def one_of_many() -> Any:
        torch.manual_seed(recipe.seed)
        net = skorch_net(data, recipe).set_params(device="cuda")
        first = [next(folds.split(data.X))]
        over = {"criterion__code_weight": weights[:1]}
        return GridSearchCV(net, over, cv=first, refit=False).fit(data.X, data.side_by_side)

    ours_alone: dict[str, Callable[[], Any]] = {
        "one fit": partial(_fit, data, recipe),
        "StackedGridSearchCV": stacked,
    }
    rounds = options.rounds_or(2)
    times = _in_turn(ours_alone, rounds, warm_up=options.quick)
    # The other candidates and folds take as long as the first.
    times["GridSearchCV, skorch"] = [_seconds(one_of_many) * (N_WEIGHTS * N_FOLDS + 1)] * rounds
    faster = median(times["GridSearchCV, skorch"]) / median(times["StackedGridSearchCV"])
    notes = {
        "StackedGridSearchCV": f"{faster:.0f} times as fast as GridSearchCV",
        "GridSearchCV, skorch": "reckoned from one weight and one fold",
    }
    return _results(f"diamonds {data}, {recipe}, {N_WEIGHTS} × {N_FOLDS} and the final fit", times, notes)


def _tasks(options: Options) -> list[Result]:
    """Return the seconds of a fit to one binary task, and to a thousand."""
    n_rows, recipe = 5_000, Recipe(epochs=20, batch_size=256)
    contestants = {}
    for n_tasks in (1, 20 if options.quick else 1_000):
        values, y = make_multitask(n_rows, 50, n_regression=0, n_binary=n_tasks, random_state=0)
        X = values.astype(np.float32)
        estimator = MultiTaskClassifier(
            trunk=MLP(recipe.hidden),
            preprocessing=None,
            n_bags=1,
            early_stopping=False,
            calibrate=False,
            batch_size=recipe.batch_size,
            max_epochs=recipe.epochs,
            device="cuda",
            random_state=0,
        )
        contestants[f"{n_tasks:,} task{'s'[: n_tasks != 1]}"] = partial(estimator.fit, X, y)
    case = f"one fit to binary tasks, {n_rows:,} × 50, {recipe}"
    return _results(case, _in_turn(contestants, options.rounds_or(3)))


def _predictions(options: Options) -> list[Result]:
    """Return the seconds of predictions of a million rows that lie in the memory of the host."""
    data, recipe = synthetic(3_000, 64), Recipe(epochs=1, batch_size=64)
    rows = np.random.default_rng(1).standard_normal((5_000 if options.quick else 1_000_000, 64), np.float32)
    estimator = _ours(recipe).fit(data.X, data.by_name)
    module = by_hand.fit(data, recipe).cuda()

    @torch.no_grad()
    def bare() -> tuple[np.ndarray, np.ndarray]:
        number, logits = module(torch.from_numpy(rows).cuda())
        return number.cpu().numpy(), logits.argmax(1).cpu().numpy()

    contestants = {"bare forward pass": bare, "sklearn_mtl": lambda: estimator.predict(rows)}
    times = _in_turn(contestants, options.rounds_or(3))
    return _results(f"predict {len(rows):,} rows × 64, 256-256", times)


def _precisions(options: Options) -> list[Result]:
    """Return the seconds of fits of the default trunk in other number formats, with their scores."""
    rows = synthetic(1_024 if options.quick else 20_000, 32)
    recipe = Recipe(epochs=2 if options.quick else 10, batch_size=512, hidden=(256, 256))
    train, test = train_test_split(np.arange(len(rows.X)), test_size=0.25, random_state=0)
    settings: dict[str, dict[str, Any]] = {
        "float32": {},
        "bf16": {"precision": "bf16"},
        "compile=True": {"compile": True},
    }
    times: Times = {}
    notes = {}
    for name, changed in settings.items():
        estimator = _ours(recipe, trunk="tabm", **changed)
        fit = partial(estimator.fit, rows.X[train], {n: y[train] for n, y in rows.by_name.items()})
        first = _seconds(fit)
        times[name] = [_seconds(fit) for _ in range(options.rounds_or(2))]
        score = estimator.score(rows.X[test], {n: y[test] for n, y in rows.by_name.items()})
        notes[name] = f"score {score:.4f}, the first fit {first:.1f} s"
    return _results(f"one fit, TabM, {rows}, batch 512, {recipe.epochs} epochs", times, notes)
