"""What was saved comes back bit for bit, in any interpreter; what is no such file is refused."""

import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from copy import copy
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import safetensors.numpy
import skops.io
import torch
from sklearn.cluster import Birch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import IterativeImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.random_projection import SparseRandomProjection
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from sklearn_mtl import MultiTaskClassifier, MultiTaskClassifierRegressor, MultiTaskRegressor
from sklearn_mtl.balancing import LossBalancer
from sklearn_mtl.export import load, save
from sklearn_mtl.export.archive import read_archive
from sklearn_mtl.sharing import HardSharing
from sklearn_mtl.tasks import Classification, Multilabel, Regression
from sklearn_mtl.trunks import MLP, ModuleTrunk, TabM, Trunk
from tests.export.forging import forge, model_of, rezip

ROOT = Path(__file__).parents[2]
N = 60
RNG = np.random.RandomState(0)
X = pd.DataFrame(RNG.normal(size=(N, 3)), columns=["area", "age", "rooms"])
LABELS = np.where(X["age"] > 0, "flat", "house")
PRICE = 1e5 + 2e4 * X["area"].to_numpy()


def quick(cls=MultiTaskClassifierRegressor, **params):
    return cls(**{"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 2, "random_state": 0, **params})


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "model.mtl"


@pytest.fixture(scope="module")
def fitted():
    return quick(n_bags=2).fit(X, {"price": PRICE, "type": LABELS})


@pytest.fixture
def saved(fitted, path) -> Path:
    save(fitted, path)
    return path


def assert_equal(found, expected):
    """Containers, values and dtypes are the same."""
    assert type(found) is type(expected)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    elif isinstance(expected, pl.DataFrame):
        assert found.equals(expected)
        assert found.schema == expected.schema
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    elif hasattr(expected, "keys"):
        assert list(found) == list(expected)
        for key in expected:
            assert_equal(found[key], expected[key])
    else:
        assert repr(found) == repr(expected)


def in_words(value) -> str:
    return re.sub(r" at 0x\w+", "", repr(value))


def assert_same(found, expected, X):
    """Two estimators are of one class, have the same parameters and predict the same, bit for bit."""
    assert type(found) is type(expected)
    assert_equal(
        {name: in_words(value) for name, value in found.get_params().items()},
        {name: in_words(value) for name, value in expected.get_params().items()},
    )
    assert_equal(found.predict(X), expected.predict(X))
    assert_equal(found.transform(X), expected.transform(X))
    for attribute in ("history_", "classes_", "n_iter_", "n_features_in_", "feature_names_in_"):
        assert hasattr(found, attribute) == hasattr(expected, attribute)
        if hasattr(expected, attribute):
            assert_equal(getattr(found, attribute), getattr(expected, attribute))
    for method in ("predict_proba", "predict_interval"):
        assert hasattr(found, method) == hasattr(expected, method)
        if hasattr(expected, method):
            assert_equal(getattr(found, method)(X), getattr(expected, method)(X))


def check_round_trip(est, X, path, **given):
    save(est, path)
    found = load(path, **given)
    assert_same(found, est, X)
    return found


# What comes back


FRAME = pd.DataFrame({"price": PRICE, "type": LABELS})


@pytest.mark.parametrize(
    ("cls", "y"),
    [
        (MultiTaskClassifierRegressor, {"price": PRICE, "type": LABELS}),
        (MultiTaskClassifierRegressor, FRAME),
        (MultiTaskClassifierRegressor, PRICE),
        (MultiTaskClassifier, LABELS),
        (MultiTaskClassifier, np.column_stack([LABELS, LABELS[::-1]])),
        (MultiTaskRegressor, np.column_stack([PRICE, -PRICE])),
        (
            MultiTaskClassifierRegressor,
            {"place": np.column_stack([PRICE, X["age"]]), "tags": (X > 0).to_numpy()},
        ),
    ],
    ids=["mapping", "frame", "1d", "1d-classes", "2d-classes", "2d", "blocks"],
)
def test_every_container_comes_back(path, cls, y):
    check_round_trip(quick(cls).fit(X, y), X, path)


def test_a_polars_frame_comes_back(path):
    y = pl.DataFrame({"price": PRICE, "type": LABELS, "flag": LABELS == "flat"}).with_columns(
        level=pl.Series(["lo", "hi"] * 30, dtype=pl.Enum(["lo", "mid", "hi"]))
    )
    x = pl.DataFrame(X.to_dict("list"))
    check_round_trip(quick().fit(x, y), x, path)


def test_every_dtype_of_labels_comes_back(path):
    labels = {
        "int8": pd.Series([0, 1, 2, 1] * 15, dtype="int8"),
        "Int64": pd.Series([-5, 7, None] * 20, dtype="Int64"),
        "str": pd.Series(["ä", "b", "c"] * 20),
        "string": pd.Series(["a", "b", None] * 20, dtype="string"),
        "object": pd.Series(["a", "b", None] * 20, dtype=object),
        "bytes": pd.Series([b"x", b"y"] * 30, dtype=object),
        "mixed": pd.Series([1, "x"] * 30, dtype=object),
        "bool": pd.Series([True, False] * 30),
        "boolean": pd.Series([True, False] * 30, dtype="boolean"),
        "levels": pd.Series(
            ["low", "high"] * 30, dtype=pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
        ),
        "numbers": pd.Series([3, 1] * 30, dtype="category"),
        "float32": pd.Series(PRICE, dtype="float32"),
    }
    est = quick(tasks={"mixed": "classification"})
    found = check_round_trip(est.fit(X, pd.DataFrame(labels)), X, path)
    assert found.predict(X)["levels"].dtype == labels["levels"].dtype


def test_every_loss_comes_back(path):
    kinds = {
        name: Regression(name)
        for name in ("absolute_error", "huber", "poisson", "gamma", "quantile", "gaussian_nll")
    }
    kinds["few"] = Regression("quantile", quantiles=(0.05, 0.95))
    kinds["logarithms"] = Regression(transform="log")
    kinds["focal"] = Classification("focal", class_weight={"flat": 2.0}, label_smoothing=0.1)
    kinds["tags"] = Multilabel(pos_weight=[1.0, 2.0, 3.0])
    y = dict.fromkeys(kinds, PRICE) | {"logarithms": np.abs(PRICE) + 1.0}
    y |= {"focal": LABELS, "tags": (X > 0).to_numpy().astype(int)}
    check_round_trip(quick(tasks=kinds).fit(X, y), X, path)


@pytest.mark.parametrize(
    "trunk", [None, "mlp", TabM((8,), members=2), MLP((8,), normalization="layer", dropout=0.1)]
)
def test_every_trunk_comes_back(path, trunk):
    check_round_trip(quick(trunk=trunk, max_epochs=1).fit(X, FRAME), X, path)


@pytest.mark.parametrize("n_bags", [1, 3])
@pytest.mark.parametrize("precision", ["float64", "bf16"])
def test_bags_and_precisions_come_back(path, n_bags, precision):
    est = quick(n_bags=n_bags, precision=precision).fit(X, FRAME)
    assert len(check_round_trip(est, X, path).nets_) == n_bags


MIXED = X.assign(
    colour=["red", "blue", None] * 20,
    level=pd.Categorical(["lo", "hi"] * 30),
    flag=LABELS == "flat",
    when=pd.date_range("2020-01-01", periods=N),
    took=pd.to_timedelta(np.arange(N), unit="h"),
    age=X["age"].where(X.index % 7 > 0),
    count=pd.array([1, None] * 30, dtype="Int64"),
)


def test_default_preprocessing_of_all_kinds_of_columns_comes_back(path):
    found = check_round_trip(quick().fit(MIXED, FRAME), MIXED, path)
    assert_equal(found.predict(MIXED[:1]), found.predict(MIXED)[:1])


@pytest.mark.filterwarnings("ignore:Columns of `X` that hold text are read")
def test_what_columns_were_found_to_hold_comes_back(path):
    days = pd.date_range("2020-01-01", periods=N)
    guessed = X.assign(
        number=[*map(str, range(N - 1)), "?"],
        day=[*days.strftime("%Y-%m-%d")[:-1], "?"],
        month=days.to_period("M"),
        zoned=days.tz_localize("Asia/Tokyo"),
        nothing=None,
    )
    est = quick().fit(guessed, FRAME)
    check_round_trip(est, guessed, path)
    assert_same(pickle.loads(pickle.dumps(est)), est, guessed)
    as_skops = skops.io.dumps(est)
    asked = skops.io.get_untrusted_types(data=as_skops)
    assert_same(skops.io.loads(as_skops, trusted=asked), est, guessed)
    with pytest.raises(ValueError, match=r"numbers in place of dates in \['month', 'zoned'\]"):
        load(path).predict(guessed.assign(month=1, zoned=2))


def test_preprocessing_of_a_file_from_before_columns_were_read_comes_back(path):
    est = quick().fit(X, FRAME)
    est._fitted.encoder.transformer = est._fitted.encoder.transformer["encode"]
    check_round_trip(est, X, path)


@pytest.mark.parametrize("frozen", [False, True])
def test_vectorizers_come_back(path, frozen):
    texts = ["a flat", "a house"] * (N // 2)
    vectorizer = FrozenEstimator(TfidfVectorizer().fit(texts)) if frozen else TfidfVectorizer()
    check_round_trip(quick(preprocessing=vectorizer).fit(texts, FRAME), texts, path)


@pytest.mark.parametrize(
    "preprocessing",
    [
        None,
        StandardScaler(),
        make_pipeline(FunctionTransformer(np.arctan, feature_names_out="one-to-one"), StandardScaler()),
        make_column_transformer(
            (StandardScaler(), make_column_selector(pattern="a")),
            (OneHotEncoder(handle_unknown="ignore"), ["rooms"]),
        ),
    ],
    ids=["none", "scaler", "pipeline", "columns"],
)
@pytest.mark.parametrize("names", [True, False])
def test_preprocessing_comes_back(path, preprocessing, names):
    if not names and "column" in str(preprocessing).lower():
        pytest.skip("an array has no column names")
    x = X.round() if names else X.round().to_numpy()
    found = check_round_trip(quick(preprocessing=preprocessing).fit(x, FRAME), x, path)
    assert found._fitted.encoder.get_feature_names_out().tolist()
    with zipfile.ZipFile(path) as file:
        assert ("preprocessing.skops" in file.namelist()) == (preprocessing is not None)


@pytest.mark.parametrize("imputer", [IterativeImputer(max_iter=1), None], ids=["imputer", "projection"])
def test_transformers_that_skops_asks_about_come_back(path, imputer):
    projection = SparseRandomProjection(2, random_state=0)
    x = X if imputer is None else X.mask(X > 1)
    preprocessing = projection if imputer is None else imputer
    check_round_trip(quick(preprocessing=preprocessing, max_epochs=1).fit(x, FRAME), x, path)


def test_images_come_back(path):
    images = RNG.normal(size=(N, 2, 4, 4))
    check_round_trip(quick(trunk=None, max_epochs=1).fit(images, PRICE), images, path)


def test_all_parameters_come_back(path):
    est = quick(
        tasks={"price": "regression", "type": Classification(class_weight="balanced")},
        task_weights={"price": np.float64(0.5)},
        sharing=HardSharing(),
        balancing="static",
        head_hidden_sizes={"price": [4], "type": (4, np.int64(2))},
        optimizer=torch.optim.SGD,
        lr=np.float32(0.01),
        lr_schedule="cosine",
        gradient_clip=1.0,
        callbacks=[],
        device="cpu",
        random_state=np.random.RandomState(0),
    )
    found = check_round_trip(est.fit(X, FRAME).set_output(transform="pandas"), X, path)
    assert isinstance(found.transform(X), pd.DataFrame)
    assert found.optimizer is torch.optim.SGD
    assert type(found.head_hidden_sizes["type"][1]) is np.int64


def test_a_history_with_and_without_held_out_rows_comes_back(path):
    est = quick(warm_start=True, early_stopping=True).fit(X, FRAME)
    est.partial_fit(X, FRAME)
    assert est.history_["valid_loss"].isna().sum() == 1
    check_round_trip(est, X, path)


def test_a_loaded_estimator_is_fitted_anew_as_the_first_was(fitted, saved):
    found = load(saved)
    y = {"price": PRICE, "type": LABELS}
    before = fitted.predict(X)
    assert_equal(found.fit(X, y).predict(X), before)
    assert len(found.partial_fit(X, y).history_) == len(fitted.history_) + 2


def test_a_loaded_estimator_trains_on_and_is_saved_again(fitted, saved, path):
    found = load(saved).set_params(warm_start=True, max_epochs=4).fit(X, {"price": PRICE, "type": LABELS})
    assert found.n_iter_ == 4
    check_round_trip(found, X, path.with_name("again.mtl"))


def test_what_was_saved_is_not_shared_or_changed(fitted, saved):
    first, second = load(saved), load(saved)
    before = fitted.predict(X)
    first.fit(X, FRAME)
    assert_equal(second.predict(X), before)
    assert_equal(fitted.predict(X), before)


WORDS = """
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn_mtl import MultiTaskRegressor
from sklearn_mtl.export import load, save
texts = ['a flat by the sea', 'a house on the hill'] * 10
words = TfidfVectorizer(stop_words=['the', 'on'], vocabulary={'flat', 'house', 'sea', 'hill'})
est = MultiTaskRegressor(trunk='mlp', n_bags=1, max_epochs=1, random_state=0, preprocessing=words)
est.fit(texts, {'y': [1.0, 2.0] * 10})
"""


@pytest.fixture(scope="module")
def another_interpreter(fitted, tmp_path_factory):
    """A folder where another interpreter, of other hashes, has loaded one file and written another."""
    folder = tmp_path_factory.mktemp("other")
    save(fitted, folder / "model.mtl")
    X.to_pickle(folder / "X.pickle")
    code = WORDS + (
        "import sys, pickle, pandas as pd\n"
        "folder = sys.argv[1]\n"
        "save(est, folder + '/words.mtl')\n"
        "found = load(folder + '/model.mtl').predict(pd.read_pickle(folder + '/X.pickle'))\n"
        "pickle.dump(dict(found), open(folder + '/found.pickle', 'wb'))\n"
    )
    own = int(os.environ.get("PYTHONHASHSEED", "0").replace("random", "0"))
    env = {**os.environ, "PYTHONHASHSEED": str(own + 1)}
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, env=env, check=True, timeout=300)
    return folder


def test_another_interpreter_reads_it(fitted, another_interpreter):
    found = pickle.loads((another_interpreter / "found.pickle").read_bytes())
    assert_equal(found, dict(fitted.predict(X)))


def test_a_device_that_is_not_here_gives_way_to_the_cpu(path, monkeypatch):
    est = quick().fit(X, FRAME).set_params(device="cuda")
    save(est, path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = load(path)
    assert_equal(found.predict(X), est.predict(X))
    with pytest.raises(ValueError, match=r"`device` must be a device of this machine. Found 'cuda'"):
        found.fit(X, FRAME)
    found.set_params(device="auto").fit(X, FRAME)


@pytest.mark.parametrize(
    "device",
    [
        "cuda:7",
        "mps",
        "xpu",
        "meta",
        "hpu",
        "cpu:3",
        torch.device("cuda", 7),
        torch.device("meta"),
        "none",
        3,
    ],
    ids=str,
)
def test_a_file_of_any_device_loads_where_it_is_not(fitted, path, device):
    expected = fitted.predict(X)
    save(copy(fitted).set_params(device=device), path)
    found = load(path)
    assert found.net_.module_.heads.branches[0].weight.device.type == "cpu"
    assert_equal(found.predict(X), expected)
    with pytest.raises(ValueError, match="`device` must be"):
        found.fit(X, FRAME)


# The file


def test_the_file_is_a_zip_of_json_safetensors_and_skops(saved):
    with zipfile.ZipFile(saved) as file:
        members = {name: file.read(name) for name in file.namelist()}
    assert list(members) == ["manifest.json", "model.json", "tensors.safetensors", "preprocessing.skops"]
    manifest = json.loads(members["manifest.json"])
    assert (manifest["format"], manifest["version"]) == ("sklearn_mtl", 1)
    assert manifest["sha256"] == {
        name: sha256(content).hexdigest() for name, content in members.items() if name != "manifest.json"
    }
    tensors = safetensors.numpy.load(members["tensors.safetensors"])
    assert "nets[1].weights.raw_scale" in tensors
    model = json.loads(members["model.json"])
    assert model["parameters"]["max_epochs"] == 2
    for content in members.values():
        assert b"cposix" not in content
        assert b"torch._utils" not in content


def test_the_file_is_about_as_large_as_its_weights(path):
    est = quick(trunk=MLP((512, 512)), max_epochs=1).fit(X, FRAME)
    save(est, path)
    weights = sum(tensor.numel() * 4 for tensor in est.net_.module_.state_dict().values())
    assert weights < path.stat().st_size < weights + 100_000


TEXTS = ["a flat by the sea", "a house on the hill"] * (N // 2)
TABLE = make_column_transformer(
    (make_pipeline(FunctionTransformer(np.arctan), StandardScaler()), make_column_selector(pattern="a")),
    (OneHotEncoder(handle_unknown="ignore"), ["rooms"]),
)


@pytest.mark.parametrize(
    ("preprocessing", "x"),
    [
        (None, X),
        ("auto", MIXED),
        (TfidfVectorizer(stop_words=["the", "on"], vocabulary={"flat", "house"}), TEXTS),
        (TABLE, X.round()),
    ],
    ids=["none", "auto", "texts", "columns"],
)
def test_the_same_estimator_gives_the_same_file_and_so_does_what_is_loaded(path, preprocessing, x):
    est = quick(preprocessing=preprocessing).fit(x, FRAME)
    save(est, path)
    first = path.read_bytes()
    save(est, str(path))
    assert path.read_bytes() == first
    for _ in range(2):
        save(load(path), path)
        assert path.read_bytes() == first


def test_processes_write_the_same_file(another_interpreter, path):
    names = {}
    exec(WORDS, names)
    save(names["est"], path)
    assert path.read_bytes() == (another_interpreter / "words.mtl").read_bytes()


# What is not such a file


@pytest.mark.parametrize("name", ["model.json", "tensors.safetensors", "preprocessing.skops"])
def test_a_changed_member_is_found(saved, name):
    def change(members):
        members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])

    rezip(saved, change)
    with pytest.raises(ValueError, match=rf"`path` must be a file.*members \['{name}'\] were changed"):
        load(saved)


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
@pytest.mark.parametrize("member", range(4))
def test_a_flipped_bit_is_found_wherever_it_is(saved, member, share):
    content = bytearray(saved.read_bytes())
    with zipfile.ZipFile(saved) as file:
        info = file.infolist()[member]
    start = info.header_offset + 30 + len(info.filename)
    content[start + int(info.file_size * share)] ^= 1
    saved.write_bytes(content)
    with pytest.raises(ValueError, match="`path` must be a file"):
        load(saved)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_found(saved, kept):
    content = saved.read_bytes()
    saved.write_bytes(content[: kept if isinstance(kept, int) else int(len(content) * kept)])
    with pytest.raises(ValueError, match="no zip archive, or is truncated or damaged"):
        load(saved)


@pytest.mark.parametrize("name", ["model.json", "tensors.safetensors", "preprocessing.skops"])
def test_a_missing_member_is_found(saved, name):
    rezip(saved, lambda members: members.pop(name))
    with pytest.raises(ValueError, match=rf"one without its members \['{name}'\]"):
        load(saved)


def test_a_member_too_many_is_found(saved):
    rezip(saved, lambda members: members.update({"evil.py": b"1"}))
    with pytest.raises(ValueError, match=r"members that it does not name, \['evil.py'\]"):
        load(saved)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_given_twice_is_refused(saved):
    with zipfile.ZipFile(saved, "a") as file:
        file.writestr("model.json", b"{}")
    with pytest.raises(ValueError, match="two members have one name"):
        load(saved)


def test_a_compressed_member_is_refused(saved):
    rezip(saved, lambda members: None, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="are compressed"):
        load(saved)


def with_manifest(**entries):
    def change(members):
        members["manifest.json"] = json.dumps({**json.loads(members["manifest.json"]), **entries}).encode()

    return change


def test_a_file_of_the_future_says_to_upgrade(saved):
    rezip(saved, with_manifest(version=3, package_version="9.1"))
    message = r"format 1 or earlier.*upgrade sklearn_mtl. Found format 3, written by sklearn_mtl 9.1"
    with pytest.raises(ValueError, match=message):
        load(saved)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"version": 0}, "format version 0"),
        ({"version": "1"}, "format version '1'"),
        ({"version": True}, "format version True"),
        ({"version": None}, "format version None"),
        ({"sha256": None}, "format version 1"),
        ({"format": "other"}, "another format"),
    ],
)
def test_a_strange_manifest_is_refused(saved, entries, message):
    rezip(saved, with_manifest(**entries))
    with pytest.raises(ValueError, match=message):
        load(saved)


@pytest.mark.parametrize("manifest", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_a_manifest_that_is_none_is_refused(saved, manifest):
    rezip(saved, lambda members: members.update({"manifest.json": manifest}))
    with pytest.raises(ValueError, match="`path` must be a file"):
        load(saved)


def test_other_kinds_of_files_are_refused(fitted, path):
    for content in (b"", b"hello", pickle.dumps(fitted), skops.io.dumps(fitted)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"`path` must be a file that `sklearn_mtl\.export\.save` wrote"):
            load(path)


def test_a_file_that_is_not_there_is_not_found(path):
    with pytest.raises(FileNotFoundError):
        load(path)


FORGED = {
    "no json": lambda model: b"{",
    "a list": lambda model: b"[]",
    "deep": lambda model: b"[" * 100_000,
    "nothing": lambda model: b"{}",
    "a class": lambda model: {**model, "estimator": "system"},
    "a parameter": lambda model: {**model, "parameters": {**model["parameters"], "more": 1}},
    "a recipe": lambda model: {**model, "blueprint": {"object": {"class": "MLP", "fields": {"more": 1}}}},
    "another recipe": lambda model: {**model, "blueprint": {"object": {"class": "MLP", "fields": {}}}},
    "no object": lambda model: {**model, "blueprint": 3},
    "a tag": lambda model: {**model, "layout": {"reduce": ["os.system", "true"]}},
    "a class of one's own": lambda model: {**model, "layout": {"own": {"class": "os.system", "fields": {}}}},
    "nets": lambda model: {**model, "nets": [{"map": {}}]},
    "no tensor": lambda model: {
        **model,
        "nets": json.loads(json.dumps(model["nets"]).replace("raw_scale", "x")),
    },
}


@pytest.mark.parametrize("forgery", FORGED.values(), ids=FORGED)
def test_a_forged_model_is_refused(saved, forgery):
    forged = forgery(model_of(saved))
    forge(saved, model=forged if isinstance(forged, bytes) else json.dumps(forged).encode())
    with pytest.raises(ValueError, match=r"`path` must be a file|The file"):
        load(saved)


@pytest.mark.parametrize("tensors", [None, b"", b"\x00" * 100, safetensors.numpy.save({"a": np.zeros(1)})])
def test_forged_tensors_are_refused(saved, tensors):
    forge(saved, tensors=tensors)
    with pytest.raises(ValueError, match=r"`path` must be a file|The file lacks the array"):
        load(saved)


def test_tensors_of_other_shapes_are_refused(saved):
    tensors = safetensors.numpy.load(read_archive(saved)["tensors.safetensors"])
    tensors["nets[0].weights.raw_scale"] = np.ones(77, dtype=np.float32)
    forge(saved, tensors=safetensors.numpy.save(tensors))
    with pytest.raises(ValueError, match="`path` must be a file"):
        load(saved)


def greet(X):
    raise AssertionError("code from a file was run")


@pytest.mark.parametrize("func", [os.system, greet, print])
def test_forged_preprocessing_is_refused(saved, func):
    scaler = FunctionTransformer(func)
    forge(saved, skops=skops.io.dumps([StandardScaler(), make_pipeline(scaler)]))
    with pytest.raises(ValueError, match="preprocessing of the file must be made of scikit-learn's own"):
        load(saved)


@pytest.mark.parametrize("content", [b"", b"PK", pickle.dumps([1])])
def test_preprocessing_that_skops_can_not_read_is_refused(saved, content):
    forge(saved, skops=content)
    with pytest.raises(ValueError, match="preprocessing of the file must be readable by skops"):
        load(saved)


def test_preprocessing_left_out_is_missed(saved):
    forge(saved, skops=None)
    with pytest.raises(ValueError, match="`path` must be a file"):
        load(saved)


# What is refused when saving


class MyCallback(Callback):
    pass


class MyRegressor(MultiTaskRegressor):
    pass


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"callbacks": [MyCallback()]}, r"`callbacks\[0\]` must be what a file can hold.*MyCallback"),
        ({"optimizer": torch.optim.Adagrad}, "`optimizer` must be what a file can hold.*Adagrad"),
        ({"lr_schedule": LRScheduler("StepLR", step_size=2)}, "`lr_schedule` must be what a file can hold"),
        (
            {"preprocessing": FunctionTransformer(greet)},
            r"`preprocessing` must be made of.*test_save_load.greet",
        ),
        ({"preprocessing": Birch()}, "`preprocessing` must be what skops can hold"),
        ({"verbose": 1j}, "`verbose` must be"),
        ({"tasks": {"price": object()}}, r"`tasks\.price` must be"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_can_not_be_held_is_refused_and_nothing_written(path, params, message):
    # Some of these would not pass `fit`.
    est = quick().fit(X, PRICE).set_params(**params)
    path.write_bytes(b"before")
    with pytest.raises(TypeError, match=message):
        save(est, path)
    assert path.read_bytes() == b"before"


def test_attributes_of_ones_own_come_back_or_are_refused(fitted, path):
    est = quick().fit(X, PRICE)
    est.note = {"by": "me"}
    save(est, path)
    assert load(path).note == {"by": "me"}
    est.note = object()
    with pytest.raises(TypeError, match="`note` must be"):
        save(est, path)


def test_only_the_estimators_are_saved(path):
    for wrong in (StandardScaler(), make_pipeline(StandardScaler()), MyRegressor(), MultiTaskRegressor, None):
        with pytest.raises(TypeError, match=r"`estimator` must be one of \['MultiTaskClassifier', "):
            save(wrong, path)


def test_an_estimator_that_is_not_fitted_is_not_saved(path):
    with pytest.raises(NotFittedError):
        save(MultiTaskRegressor(), path)
    assert not path.exists()


@pytest.mark.parametrize("package", ["safetensors", "skops"])
def test_without_the_extra_the_error_says_what_to_install(fitted, saved, path, monkeypatch, package):
    for name in [name for name in sys.modules if name.partition(".")[0] == package] or [package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    message = rf'`sklearn_mtl.export` needs {package}: pip install "sklearn-mtl\[export\]"'
    with pytest.raises(ImportError, match=message):
        load(saved)
    with pytest.raises(ImportError, match=message):
        save(fitted, path)


def test_without_preprocessing_skops_is_not_needed(path, monkeypatch):
    est = quick(preprocessing=None).fit(X, PRICE)
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    check_round_trip(est, X, path)


# Classes of one's own


class Wide(Trunk):
    def __init__(self, width=4, inner=None):
        self.width = width
        self.inner = inner

    def build(self, spec, statistics):
        return MLP((self.width,)).build(spec, statistics)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 5)

    def forward(self, x):
        return self.linear(x).tanh()


class Halved(LossBalancer):
    def __init__(self, factor=0.5):
        super().__init__()
        self.factor = factor

    def forward(self, losses, weights):
        return self.factor * (losses @ weights)


def test_recipes_of_ones_own_are_handed_over(path):
    est = quick(trunk=Wide(6, inner=MLP((2,))), balancing=Halved(0.25)).fit(X, FRAME)
    found = check_round_trip(est, X, path, modules={"Wide": Wide, "Halved": Halved, "Other": dict})
    assert found.balancing.factor == 0.25
    assert found.trunk.inner.hidden_sizes == (2,)
    with pytest.raises(ValueError, match=r"`modules` must hold.*'Halved' \(.*\.Halved\)\. Found \['Wide'\]"):
        load(path, modules={"Wide": Wide})


@pytest.mark.parametrize("frozen", [False, True, None], ids=["trained", "frozen", "bare"])
@pytest.mark.parametrize("given", [Net, Net()], ids=["class", "module"])
def test_a_module_of_ones_own_is_handed_over(path, frozen, given):
    module = Net()
    est = quick(trunk=module if frozen is None else ModuleTrunk(module, frozen=frozen)).fit(X, FRAME)
    before = est.predict(X)
    save(est, path)
    with pytest.raises(ValueError, match=r"'Net' \(.*\.Net\)"):
        load(path)
    found = load(path, modules={"Net": given})
    assert_equal(found.predict(X), before)
    assert_equal(found.history_, est.history_)
    # It starts again from the weights that were pretrained.
    assert_equal(found.fit(X, FRAME).predict(X), before)


def test_a_module_of_torch_is_handed_over_as_an_object(path):
    def make():
        return nn.Sequential(nn.Linear(3, 4), nn.ReLU())

    est = quick(trunk=make()).fit(X, FRAME)
    save(est, path)
    assert_equal(load(path, modules={"Sequential": make()}).predict(X), est.predict(X))
    with pytest.raises(ValueError, match=r"`modules\['Sequential'\]` must have the weights that were saved"):
        load(path, modules={"Sequential": nn.Sequential})


@pytest.mark.parametrize(
    "wrong", [None, 3, b"model.mtl", io.BytesIO(), []], ids=lambda wrong: type(wrong).__name__
)
def test_what_is_no_path_is_refused(fitted, wrong):
    for use in (load, lambda path: save(fitted, path)):
        with pytest.raises(TypeError, match=r"`path` must be a str or a path such as pathlib.Path. Found"):
            use(wrong)


LONE_SURROGATE = pytest.param(
    "a\ud800", marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows takes them")
)


@pytest.mark.parametrize(
    "wrong",
    ["", "a\0b", LONE_SURROGATE, "n" * 256, "n" * 10**6],
    ids=["empty", "null", "surrogate", "long", "a megabyte"],
)
def test_what_names_no_file_is_refused(fitted, wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for use in (load, lambda path: save(fitted, path)):
        with pytest.raises(ValueError, match=r"`path` must be the name of a file. Found") as found:
            use(wrong)
        assert len(str(found.value)) < 300
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of Unix")
def test_what_is_no_regular_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    names = ["/dev/zero", "/dev/urandom", str(tmp_path / "pipe")]
    code = (
        "import sys; from sklearn_mtl.export import load\n"
        "for name in sys.argv[1:]:\n"
        "    try: load(name)\n"
        "    except ValueError as error: print(error)"
    )
    # In a process of its own: before, reading had no end.
    found = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=ROOT, timeout=120, capture_output=True, text=True
    )
    said = found.stdout.splitlines()
    assert len(said) == len(names)
    for line in said:
        assert line.startswith("`path` must be a file that `sklearn_mtl.export.save` wrote. Found a pipe")


def test_a_directory_is_no_file(fitted, tmp_path):
    with pytest.raises(ValueError, match=r"`path` must be a file that .* wrote. Found a directory"):
        load(tmp_path)
    with pytest.raises(ValueError, match=r"`path` must be a file to write. Found a directory"):
        save(fitted, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_missing_is_told_before_the_work(tmp_path):
    est = quick().fit(X, PRICE)
    # This could not be saved either.
    est.note = object()
    with pytest.raises(FileNotFoundError, match=r"`path` must be in a directory that is there. Found none"):
        save(est, tmp_path / "none" / "model.mtl")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of Unix")
def test_a_full_disk_leaves_the_file_that_was_there(fitted, saved, tmp_path):
    import resource

    before, limits = saved.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a full disk, no file can become longer than half of that one.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            save(fitted, saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"model.mtl"}


KILLED = """
import os, pickle, signal, sys, zipfile
from sklearn_mtl.export import save

write = zipfile.ZipFile.writestr

def killed(file, info, content, *how):
    if getattr(info, "filename", "") == "tensors.safetensors":
        file.fp.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    write(file, info, content, *how)

zipfile.ZipFile.writestr = killed
save(pickle.load(open(sys.argv[1] + ".pickle", "rb")), sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_save_that_is_killed_leaves_the_file_that_was_there(fitted, saved, tmp_path):
    Path(f"{saved}.pickle").write_bytes(pickle.dumps(fitted))
    before = saved.read_bytes()
    found = subprocess.run([sys.executable, "-c", KILLED, str(saved)], cwd=ROOT, timeout=300)
    assert found.returncode == -signal.SIGKILL
    assert saved.read_bytes() == before
    assert_same(load(saved), fitted, X)
    (left,) = {path.name for path in tmp_path.iterdir()} - {"model.mtl", "model.mtl.pickle"}
    assert Path(left).match(".sklearn_mtl-*.tmp")


def test_processes_that_save_at_once_leave_one_whole_file(path, tmp_path):
    est = quick(preprocessing=None).fit(X, PRICE)
    save(est, path)
    Path(f"{path}.pickle").write_bytes(pickle.dumps(est))
    code = (
        "import pickle, sys\n"
        "from sklearn_mtl.export import save\n"
        "est = pickle.load(open(sys.argv[1] + '.pickle', 'rb'))\n"
        "for _ in range(10): save(est, sys.argv[1])\n"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT)
    while other.poll() is None:
        save(est, path)
        load(path)
        time.sleep(0.05)
    assert other.returncode == 0
    assert_same(load(path), est, X)
    assert {file.name for file in tmp_path.iterdir()} == {"model.mtl", "model.mtl.pickle"}


def test_a_save_while_another_thread_predicts_is_like_any_other(fitted, path):
    stop, wrong = threading.Event(), []
    expected = fitted.predict(X)["price"]

    def predict():
        while not stop.is_set():
            wrong.extend([] if np.array_equal(fitted.predict(X)["price"], expected) else [1])

    thread = threading.Thread(target=predict)
    thread.start()
    for _ in range(2):
        save(fitted, path)
        assert_equal(load(path).predict(X), fitted.predict(X))
    stop.set()
    thread.join()
    assert not wrong


@pytest.mark.parametrize(
    "given",
    [3, "Net", None, lambda: Net(), dict, nn.Linear, nn.Linear(2, 2), Wide, Halved()],
    ids=lambda given: type(given).__name__,
)
def test_what_is_handed_over_in_the_place_of_a_module_is_refused(path, given):
    save(quick(trunk=Net()).fit(X, FRAME), path)
    with pytest.raises(ValueError, match=r"^`modules\['Net'\]` must (be|have)"):
        load(path, modules={"Net": given})


def test_names_of_what_is_handed_over_may_be_of_any_type(path):
    save(quick(trunk=Net()).fit(X, FRAME), path)
    with pytest.raises(ValueError, match=r"it lacks 'Net' .* Found \[1, 'Other', None\]"):
        load(path, modules={1: Net, "Other": Net, None: Net})


def test_a_class_that_fails_when_it_is_made_is_the_callers(path):
    save(quick(trunk=Net()).fit(X, FRAME), path)

    class Failing(nn.Module):
        def __init__(self):
            raise ZeroDivisionError("of the user's own")

    with pytest.raises(ValueError, match=r"^`modules\['Net'\]` must be a module, .*of the user's own"):
        load(path, modules={"Net": Failing})


@pytest.mark.parametrize("modules", [[MLP], (MLP, TabM), MLP, "MLP"])
def test_modules_that_are_no_mapping_are_refused_before_anything_is_read(modules, tmp_path):
    with pytest.raises(TypeError, match=r"`modules` must be None or a mapping from the name of a class"):
        load(tmp_path / "is_not_there.mtl", modules=modules)


def test_weights_stacked_from_the_layers_of_many_tasks_come_back(path):
    """Each of the layers is drawn by itself, and what a file may build is bounded by the weights it has."""
    Y = {f"t{number}": (1 + number) * PRICE for number in range(600)}
    est = quick(MultiTaskRegressor, sharing="task_attention", trunk=MLP((3, 3)), max_epochs=1).fit(X, Y)
    save(est, path)
    np.testing.assert_array_equal(load(path).predict(X)["t7"], est.predict(X)["t7"])
