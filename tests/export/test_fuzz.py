"""Made-up files either load to an estimator that predicts, or are refused; neither takes much memory.

``make fuzz`` tries thousands of other cases than the few of each test run, which are the same in all.
"""

import copy
import json
import os
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.export.archive import read_archive, write_archive
from sklearn_mtl.trunks import MLP, TabM
from tests.export.forging import little_memory, members_of, with_header, zipped

N_CASES = int(os.environ.get("FUZZ_CASES", "30"))
MEBI = 2**20
N = 60
RNG = np.random.RandomState(0)
X = pd.DataFrame(RNG.normal(size=(N, 3)), columns=["area", "age", "rooms"])
MIXED = X.assign(colour=["red", "blue", None] * 20, when=pd.date_range("2020-01-01", periods=N))
TEXTS = ["a flat by the sea", "a house on the hill"] * (N // 2)
Y = pd.DataFrame({"price": 1e5 + 2e4 * X["area"], "type": np.where(X["age"] > 0, "flat", "house")})
FRESH = {
    "auto": ({"trunk": TabM((4,), members=2), "n_bags": 2}, MIXED),
    "bare": ({"preprocessing": None, "head_hidden_sizes": (3,)}, X),
    "texts": ({"preprocessing": TfidfVectorizer(stop_words=["the"])}, TEXTS),
}
HOSTILE = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, -1, 0, 1, 2, 3, 8, 1000, 10**6, 2**31, 2**63, 10**30, 0.5, 1e308),
            *("", "x", "meta", "cuda", "<U500000000", "<U100", "O", "V8", "(9999,)i8", "x0", "price"),
            *("MLP", "TabM", "TaskSet", "Blueprint", "Regression", "Ordinal", "adamw", "2d", "polars"),
            *([], {}, [[]], [0] * 1000, {"tuple": []}, {"tuple": [10**9]}, {"map": {}}, {"array": "x"}),
            *({"float": "nan"}, {"float": "inf"}, {"scalar": ["<f8", 1]}, {"transformer": 0}),
            *({"optimizer": "sgd"}, {"scalar_type": "<f8"}, {"bytes": "AAAA"}, {"module": "x"}),
            {"items": {"dtype": "<U1000000", "shape": [2], "values": ["a", "b"]}},
            {"dtype": {"map": {"numpy": "<U1000000"}}},
            {"dtype": {"map": {"polars": "Int8"}}},
            {"dtype": {"map": {"pandas": "Int64"}}},
            {"object": {"class": "MLP", "fields": {"hidden_sizes": {"tuple": [2**40, 2**40]}}}},
        ]
    ),
    st.integers(-(2**70), 2**70),
    st.text(max_size=5),
)
OUTCOMES = Counter()


class Honest(dict):
    """The members of honest files; hypothesis tells of all arguments of a case that fails."""

    def __repr__(self):
        return f"members of {list(self)}"


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """Return the members of each of several honest files."""
    path = tmp_path_factory.mktemp("honest") / "model.mtl"
    found = Honest()
    for name, (params, x) in FRESH.items():
        params = {"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 2, "random_state": 0, **params}
        save(MultiTaskClassifierRegressor(**params).fit(x, Y), path)
        found[name] = read_archive(path)
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("forged") / "model.mtl"


def places(node, found=()):
    """Yield the way to every node of some JSON."""
    yield found
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(value, (*found, key))


def at(node, place):
    for key in place:
        node = node[key]
    return node


def changed(data, tree):
    """Return JSON of which some nodes were replaced, left out, moved or repeated."""
    tree = copy.deepcopy(tree)
    for _ in range(data.draw(st.integers(1, 3))):
        all_places = [place for place in places(tree) if place]
        if not all_places:
            return tree
        *way, key = data.draw(st.sampled_from(all_places))
        parent = at(tree, way)
        how = data.draw(st.sampled_from(["value", "value", "number", "move", "drop", "repeat", "rename"]))
        if how == "value":
            parent[key] = copy.deepcopy(data.draw(HOSTILE))
        elif how == "number" and isinstance(parent[key], int | float):
            parent[key] = parent[key] * data.draw(st.sampled_from([-1, 0, 2, 10**6, 10**12])) + 1
        elif how == "move":
            parent[key] = copy.deepcopy(at(tree, data.draw(st.sampled_from(all_places))))
        elif how == "drop":
            del parent[key]
        elif how == "repeat" and isinstance(parent, list):
            parent.extend(copy.deepcopy(parent[key]) for _ in range(data.draw(st.sampled_from([1, 300]))))
        elif how == "rename" and isinstance(parent, dict):
            parent[data.draw(st.sampled_from(["x", "map", "tuple", "object", "fields", "own"]))] = parent.pop(
                key
            )
    return tree


def damaged(data, content):
    """Return bytes of which some were replaced, left out or repeated."""
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, max(len(content) - 1, 0)))
        length = data.draw(st.sampled_from([1, 1, 2, 4, 8, 100]))
        how = data.draw(st.sampled_from(["put", "drop", "repeat", "end"]))
        if how == "put":
            content[start : start + length] = data.draw(st.binary(min_size=length, max_size=length))
        elif how == "drop":
            del content[start : start + length]
        elif how == "repeat":
            content[start:start] = content[start : start + length]
        else:
            del content[start + 1 :]
    return bytes(content)


def forge_model(data, members):
    return {**members, "model.json": json.dumps(changed(data, json.loads(members["model.json"]))).encode()}


def forge_header(data, members):
    def change(header):
        tree = changed(data, header)
        header.clear()
        header.update(tree if isinstance(tree, dict) else {})

    return {**members, "tensors.safetensors": with_header(members["tensors.safetensors"], change)}


def forge_skops(data, members):
    if "preprocessing.skops" not in members:
        return forge_model(data, members)
    inner = members_of(members["preprocessing.skops"])
    name = data.draw(st.sampled_from([*sorted(inner), *["schema.json"] * 5]))
    if name == "schema.json":
        inner[name] = json.dumps(changed(data, json.loads(inner[name]))).encode()
    else:
        inner[name] = damaged(data, inner[name])
    return {**members, "preprocessing.skops": zipped(inner)}


def forge_member(data, members):
    name = data.draw(st.sampled_from(sorted(members)))
    return {**members, name: damaged(data, members[name])}


FORGERIES = {
    "model": forge_model,
    "header": forge_header,
    "skops": forge_skops,
    "member": forge_member,
    "bytes": lambda data, members: members,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("forgery", FORGERIES)
@settings(
    max_examples=N_CASES,
    deadline=None,
    derandomize="FUZZ_CASES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_made_up_files_predict_or_are_refused(members, path, forgery, data):
    name = data.draw(st.sampled_from(sorted(members)))
    write_archive(path, FORGERIES[forgery](data, members[name]), "0")
    if forgery == "bytes":
        path.write_bytes(damaged(data, path.read_bytes()))
    with little_memory(300 * MEBI):
        outcome, error = outcome_of(path, FRESH[name][1][:5])
    OUTCOMES[forgery, outcome] += 1
    assert not isinstance(error, MemoryError | RecursionError)
    if outcome == "refused":
        assert str(path) in str(error)
        assert len(str(error)) < 2000


def outcome_of(path, x):
    """Return what became of a file, and the error if there was one; `load` may raise a ValueError only."""
    try:
        found = load(path)
    except ValueError as error:
        return "refused", error
    try:
        found.predict(x)
    # The file may describe preprocessing that these rows do not suit.
    except Exception as error:
        return f"does not predict: {type(error).__name__}", error
    return "predicts", None


@pytest.fixture(scope="module", autouse=True)
def _told():
    yield
    if "FUZZ_CASES" in os.environ:
        for (forgery, outcome), count in sorted(OUTCOMES.items()):
            print(f"{forgery}: {count} {outcome}")
