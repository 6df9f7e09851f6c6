"""Nothing that a file says of sizes is believed: what is forged is refused, and costs little to refuse."""

import io
import json
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import skops.io
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.export import load, save
from sklearn_mtl.export.archive import read_archive
from sklearn_mtl.trunks import MLP, Trunk
from tests.export.forging import (
    forge,
    little_memory,
    members_of,
    model_of,
    rezip,
    skops_with,
    with_header,
    zipped,
)

MEBI = 2**20
N = 60
RNG = np.random.RandomState(0)
X = pd.DataFrame(RNG.normal(size=(N, 3)), columns=["area", "age", "rooms"])
Y = {"price": 1e5 + 2e4 * X["area"].to_numpy(), "type": np.where(X["age"] > 0, "flat", "house")}


def quick(**params):
    return MultiTaskClassifierRegressor(
        **{"trunk": MLP((8,)), "n_bags": 1, "max_epochs": 2, "random_state": 0, **params}
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, params in {"auto": {}, "none": {"preprocessing": None}}.items():
        save(quick(**params).fit(X, Y), folder / name)
    return folder


@pytest.fixture
def path(files, tmp_path):
    path = tmp_path / "model.mtl"
    path.write_bytes((files / "auto").read_bytes())
    return path


@pytest.fixture
def bare(files, tmp_path):
    path = tmp_path / "bare.mtl"
    path.write_bytes((files / "none").read_bytes())
    return path


def refused(path, match="`path`", most=100 * MEBI, **modules):
    with little_memory(most), pytest.raises(ValueError, match=match) as found:
        load(path, **modules)
    message = str(found.value)
    assert message.startswith("`path` must be a file")
    assert message.endswith(f": {path}.")
    assert len(message) < 1000 + len(str(path))
    assert "alloc" not in message.lower()
    assert type(found.value.__cause__) is not MemoryError
    return message


# The zip


def test_members_that_overlap_are_refused(bare):
    content = bytearray(bare.read_bytes())
    # The entries of the table of contents: all begin where the first does.
    place = content.find(b"PK\1\2")
    while place >= 0:
        content[place + 42 : place + 46] = struct.pack("<I", 0)
        place = content.find(b"PK\1\2", place + 4)
    bare.write_bytes(content)
    refused(bare, "members overlap")


def test_members_that_are_longer_than_the_file_are_refused(bare):
    content = bytearray(bare.read_bytes())
    place = content.find(b"PK\1\2", content.find(b"PK\1\2") + 4)
    content[place + 20 : place + 28] = struct.pack("<II", 2**31, 2**31)
    bare.write_bytes(content)
    refused(bare, "members of 2147")


def test_a_long_manifest_is_refused(bare):
    rezip(bare, lambda members: members.update({"manifest.json": b" " * 2**17 + members["manifest.json"]}))
    refused(bare, "a zip archive with the members")


def test_members_of_strange_names_are_refused(bare):
    content = bare.read_bytes().replace(b"model.json", b"mod\xff\xff.json")
    place = content.rfind(b"PK\1\2", 0, content.rfind(b"mod\xff"))
    # The flag for names in UTF-8, which this is not.
    content = content[: place + 8] + struct.pack("<H", 0x800) + content[place + 10 :]
    bare.write_bytes(content)
    refused(bare, "no zip archive, or is truncated or damaged")


def test_a_long_name_of_a_member_is_shortened(bare):
    content = bare.read_bytes()
    # In the member itself, its name goes on into its content; in the table of contents it does not.
    place = content.index(b"model.json{") - 4
    bare.write_bytes(content[:place] + struct.pack("<H", 5000) + content[place + 2 :])
    refused(bare, "truncated or damaged")


def test_many_members_are_refused_for_little(bare):
    with zipfile.ZipFile(bare, "a") as file:
        for number in range(20_000):
            file.writestr(zipfile.ZipInfo(f"{number}"), b"")
    message = refused(bare, r"members that it does not name, \['0', '1', ", most=100 * MEBI)
    assert message.count("'") < 300


# The tensors


def claim(**entry):
    return lambda header: header[next(iter(header))].update(entry)


@pytest.mark.parametrize(
    "change",
    [
        claim(shape=[10**9, 10**9]),
        claim(shape=[2**63]),
        claim(shape=[-1]),
        claim(data_offsets=[0, 10**12]),
        claim(data_offsets=[0, 0]),
        claim(dtype="BF16"),
        claim(dtype="F8_E4M3"),
        lambda header: header.update(
            {"empty": {"dtype": "F32", "shape": [0, 10**12], "data_offsets": [0, 0]}}
        ),
        lambda header: header.update(
            {"empty": {"dtype": "F32", "shape": [2**62, 0], "data_offsets": [0, 0]}}
        ),
    ],
)
def test_shapes_that_tensors_claim_are_not_believed(bare, change):
    forge(bare, tensors=with_header(read_archive(bare)["tensors.safetensors"], change))
    refused(bare)


def test_a_header_longer_than_the_file_is_refused(bare):
    tensors = read_archive(bare)["tensors.safetensors"]
    forge(bare, tensors=(2**40).to_bytes(8, "little") + tensors[8:])
    refused(bare)


# The JSON


def forged(path, change, **arrays):
    """Change the JSON, which is parsed, and add arrays."""
    model = model_of(path)
    model = change(model) or model
    tensors = safetensors.numpy.load(read_archive(path)["tensors.safetensors"])
    forge(path, model=json.dumps(model).encode(), tensors=safetensors.numpy.save({**tensors, **arrays}))


def net_of(model):
    return model["nets"][0]["map"]


def fields(model, *names):
    node = model["blueprint"]["object"]["fields"]
    for name in names:
        node = node[name]
    return node


def trunk(name, **params):
    return lambda model: fields(model).update(trunk={"object": {"class": name, "fields": params}})


def sizes(*sizes):
    return {"tuple": list(sizes)}


def nested(depth):
    node = 0
    for _ in range(depth):
        node = {"tuple": [node]}
    return node


CLAIMS = {
    "epochs": lambda model: net_of(model)["epochs"]["map"].update(n_epochs=10**9),
    "epochs beyond integers": lambda model: net_of(model)["epochs"]["map"].update(n_epochs=10**400),
    "layer": trunk("MLP", hidden_sizes=sizes(10**9)),
    "layers of one": trunk("MLP", hidden_sizes=sizes(*[1] * 100_000)),
    "layer beyond integers": trunk("MLP", hidden_sizes=sizes(10**400)),
    "members": trunk("TabM", hidden_sizes=sizes(8), members=10**9),
    "embedding": trunk("TabM", hidden_sizes=sizes(8), embedding_size=10**9, embedding="piecewise_linear"),
    "default trunk": trunk("DefaultTrunk", hidden_sizes=sizes(10**9)),
    "columns": lambda model: fields(model, "spec", "object", "fields", "blocks", "tuple")[0]["object"][
        "fields"
    ].update(shape=sizes(10**9)),
    "continuous columns": lambda model: (
        trunk("TabM", hidden_sizes=sizes(8))(model),
        fields(model, "spec", "object", "fields", "blocks", "tuple")[0]["object"]["fields"].update(
            n_continuous=10**9
        ),
    )[:0],
    "negative columns": lambda model: fields(model, "spec", "object", "fields", "blocks", "tuple")[0][
        "object"
    ]["fields"].update(shape=sizes(-1)),
    "image": lambda model: fields(model, "spec", "object", "fields", "blocks", "tuple")[0]["object"][
        "fields"
    ].update(shape=sizes(3, 10**6, 10**6)),
    "heads": lambda model: fields(model).update(head_hidden_sizes={"tuple": [sizes(10**9), sizes()]}),
    "heads of one": lambda model: fields(model).update(
        head_hidden_sizes={"tuple": [sizes(*[1] * 50_000), sizes()]}
    ),
    "outputs": lambda model: fields(model, "tasks", "object", "fields", "tasks", "tuple")[0]["object"][
        "fields"
    ].update(n_columns=10**9),
    "outputs of a fraction": lambda model: fields(model, "tasks", "object", "fields", "tasks", "tuple")[0][
        "object"
    ]["fields"].update(n_columns=1.5),
    "classes": lambda model: fields(model, "tasks", "object", "fields", "tasks", "tuple")[0]["object"][
        "fields"
    ].update(loss={"object": {"class": "CrossEntropy", "fields": {"n_classes": 10**9}}}),
    "tasks": lambda model: fields(model, "tasks", "object", "fields").update(
        tasks={"tuple": fields(model, "tasks", "object", "fields", "tasks", "tuple") * 500}
    ),
    "text": lambda model: model["attributes"].update(
        note={"items": {"dtype": "<U500000000", "shape": [2], "values": ["a", "b"]}}
    ),
    "many texts": lambda model: model["attributes"].update(
        note={"items": {"dtype": "<U1000000", "shape": [1000], "values": ["a"] * 1000}}
    ),
    "many arrays of text": lambda model: model["attributes"].update(
        note=[{"items": {"dtype": "<U1000000", "shape": [1], "values": ["a"]}}] * 1000
    ),
    "bytes": lambda model: model["attributes"].update(
        note={"items": {"dtype": "|S2000000000", "shape": [1], "values": [{"bytes": "YQ=="}]}}
    ),
    "subarray": lambda model: model["attributes"].update(
        note={"items": {"dtype": "(1000000000,)i8", "shape": [1], "values": [1]}}
    ),
    "a scalar": lambda model: model["attributes"].update(note={"scalar": ["V1000000000", 1]}),
    "a scalar of bytes": lambda model: model["parameters"].update(lr={"scalar": ["S1", 3 * 10**9]}),
    "many scalars of bytes": lambda model: model["parameters"].update(lr=[{"scalar": ["S1", 10**8]}] * 50),
    "a scalar of bytes by a nested one": lambda model: model["parameters"].update(
        lr={"scalar": ["S1", {"scalar": ["i8", 10**9]}]}
    ),
    "a scalar of text": lambda model: model["parameters"].update(lr={"scalar": ["U1", 1]}),
    "a scalar of bytes for text": lambda model: model["parameters"].update(
        lr={"scalar": ["U1", {"bytes": "YQ=="}]}
    ),
    "a scalar of many numbers": lambda model: model["parameters"].update(
        lr={"scalar": ["f8", [[1] * 1000] * 1000]}
    ),
    "a scalar of an object": lambda model: model["parameters"].update(lr={"scalar": ["O", 3]}),
    "dtype of labels": lambda model: fields(model, "tasks", "object", "fields", "tasks", "tuple")[1][
        "object"
    ]["fields"].update(dtype={"dtype": {"map": {"numpy": "<U500000000"}}}),
    "shape": lambda model: model["attributes"].update(
        note={"items": {"dtype": "O", "shape": [10**9], "values": [1]}}
    ),
    "depth": lambda model: model["attributes"].update(note=nested(400)),
    "an array many times": lambda model: model["attributes"].update(note=[{"array": "long"}] * 20_000),
    "a random state": lambda model: model["parameters"].update(
        random_state={
            "random_state": {
                "map": {
                    "bit_generator": "MT19937",
                    "state": {"map": {"key": {"array": "key"}, "pos": 10**6}},
                    "has_gauss": 0,
                    "gauss": 0.0,
                }
            }
        }
    ),
    "an estimator": lambda model: {**model, "estimator": []},
    "no networks": lambda model: {**model, "nets": []},
    "a method": lambda model: model["attributes"].update(predict=3),
    "a method of the preprocessing": lambda model: model["encoder"]["map"].update(transform=3),
    "own": lambda model: {**model, "own": []},
    "own classes": lambda model: {**model, "own": {"classes": {"X": 3}, "modules": {}}},
    "own modules": lambda model: {**model, "own": {"classes": {}, "modules": {"X": 3}}},
}


@pytest.mark.parametrize("change", CLAIMS.values(), ids=CLAIMS)
def test_what_the_json_claims_is_not_believed(bare, change):
    arrays = {"long": np.zeros(100_000), "key": np.zeros(624, np.uint32)}
    forged(bare, change, **arrays)
    refused(bare)


def test_layers_are_compared_before_any_is_built(bare, monkeypatch):
    forged(bare, trunk("MLP", hidden_sizes=sizes(9)))
    # What is built first has shapes alone.
    assert "'sharing.trunk.stages.0.0.weight' would be of shape (9, 3), and is of (8, 3)" in refused(bare)


# Classes and modules of the caller


class Wide(Trunk):
    def __init__(self, width=4):
        self.width = width

    def build(self, spec, statistics):
        return MLP((self.width,)).build(spec, statistics)


def test_the_classes_that_a_file_needs_are_told_shortly(bare):
    long = "n" * 10**6
    for own in ({"classes": {long: long}}, {"classes": {f"{i}": long[:10_000] for i in range(1000)}}):
        forged(bare, lambda model, own=own: model["own"].update(own))
        with pytest.raises(ValueError, match=r"`modules` must hold the classes .* it lacks '") as found:
            load(bare)
        assert len(str(found.value)) < 5000


class Undecided(nn.Module):
    """Can't be run without numbers."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 5)

    def forward(self, x):
        return self.linear(x) if bool((x < 1e9).all()) else x


def test_a_trunk_of_ones_own_is_compared_too(bare):
    save(quick(trunk=Wide(6), preprocessing=None).fit(X, Y), bare)
    text = json.dumps(model_of(bare))
    forge(bare, model=text.replace('"width": 6', '"width": 1000000000').encode())
    refused(bare, modules={"Wide": Wide})


def test_a_module_that_can_not_be_run_without_numbers_loads_and_its_heads_are_compared(bare):
    est = quick(trunk=Undecided(), preprocessing=None).fit(X, Y)
    save(est, bare)
    found = load(bare, modules={"Undecided": Undecided})
    np.testing.assert_array_equal(found.predict(X)["price"], est.predict(X)["price"])
    forged(bare, CLAIMS["heads"])
    refused(bare, "its heads have layers of", modules={"Undecided": Undecided})


# The preprocessing


def forged_skops(path, change):
    forge(path, skops=skops_with(read_archive(path)["preprocessing.skops"], change))


def first_array(schema):
    """Return the first node that names a member with an array."""
    found = []

    def look(node):
        if isinstance(node, dict):
            if str(node.get("file", "")).endswith(".npy"):
                found.append(node)
            node = list(node.values())
        for item in node if isinstance(node, list) else []:
            look(item)

    look(schema)
    return found[0]


def npy(shape, dtype="<f8", content=b""):
    buffer = io.BytesIO()
    header = {"shape": shape, "fortran_order": False, "descr": dtype}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + content


def put(content):
    return lambda members, schema: members.update({first_array(schema)["file"]: content})


def many_nodes(node):
    return lambda members, schema: schema["content"].extend([node] * 500_000)


SKOPS = {
    "a long member": lambda members, schema: members.update({"long": b"\0" * 300 * MEBI}),
    "a long schema": lambda members, schema: schema.update(more=" " * 300 * MEBI),
    "an array that claims to be long": put(npy((10**9,))),
    "an array of no numbers": put(npy((0, 10**12))),
    "long items": put(npy((0,), "<U500000000")),
    "a sparse matrix": put(zipped({"data.npy": npy((10**9,))})),
    "a long sparse matrix": put(zipped({"data.npy": npy((10**8,), "<i1", b"\0" * 10**8)})),
    "another format of arrays": put(b"\x93NUMPY\x09\x00" + npy((1,))[8:]),
    "an array many times": lambda members, schema: (
        members.update({"long.npy": npy((10**6,), "<i1", b"\0" * 10**6)}),
        schema["content"].extend(
            [{**first_array(schema), "file": "long.npy", "__id__": 10**6 + i} for i in range(1000)]
        ),
    ),
    "nodes": many_nodes({"__class__": "arctan", "__module__": "numpy", "__loader__": "FunctionNode"}),
    "lists": many_nodes([]),
    "objects": many_nodes({}),
}


@pytest.mark.parametrize("change", SKOPS.values(), ids=SKOPS)
def test_what_the_preprocessing_claims_is_not_believed(path, change):
    forged_skops(path, change)
    assert path.stat().st_size < MEBI
    assert "preprocessing of the file must be" in refused(path, most=400 * MEBI)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(path, compression):
    members = members_of(read_archive(path)["preprocessing.skops"])
    forge(path, skops=zipped(members, compression))
    refused(path, "members are compressed")


def test_letters_beyond_ascii_in_a_schema_are_refused(path):
    members = members_of(read_archive(path)["preprocessing.skops"])
    members["schema.json"] = members["schema.json"].replace(b"median", "médian".encode())
    forge(path, skops=zipped(members))
    refused(path, "not in ASCII")


def test_a_schema_that_is_nested_without_end_is_refused(path):
    members = members_of(read_archive(path)["preprocessing.skops"])
    members["schema.json"] = b"[" * 1_000_000
    forge(path, skops=zipped(members))
    refused(path)


def random_state_at(position):
    found = np.random.RandomState(0)
    state = found.get_state(legacy=False)
    state["state"]["pos"] = position
    found.set_state(state)
    return found


def generator_at(bits, position):
    found = np.random.Generator(bits(0))
    state = found.bit_generator.state
    (state if "buffer_pos" in state else state["state"]).update(
        {"buffer_pos" if "buffer_pos" in state else "pos": position}
    )
    found.bit_generator.state = state
    return found


RANDOM = {
    "a Mersenne Twister": (random_state_at, 2**30, 624),
    "one before its state": (random_state_at, -1, 0),
    "a generator": (lambda at: generator_at(np.random.MT19937, at), 2**30, 0),
    "a Philox": (lambda at: generator_at(np.random.Philox, at), -(2**30), 4),
}


@pytest.mark.parametrize(("random_state", "position", "honest"), RANDOM.values(), ids=RANDOM)
def test_a_random_state_of_a_transformer_has_the_position_that_it_claims(
    bare, random_state, position, honest
):
    scaler = StandardScaler()
    est = quick(preprocessing=scaler, max_epochs=1).fit(X, Y)
    # Wherever it is; to draw from it would read other memory, or end the process.
    for where in (lambda found: found, lambda found: [{"x": (found,)}]):
        scaler.copy = where(random_state(honest))
        save(est, bare)
        assert np.isfinite(load(bare).predict(X)["price"]).all()
        scaler.copy = where(random_state(position))
        forge(bare, skops=skops.io.dumps([est._fitted.encoder.transformer, scaler]))
        assert "random state at position" in refused(bare)


# What is honest and long


def test_honest_preprocessing_of_many_words_loads(bare):
    texts = [
        " ".join(f"w{number}" for number in range(start, start + 300)) for start in range(0, 18_000, 300)
    ]
    est = quick(preprocessing=TfidfVectorizer(), max_epochs=1).fit(texts, Y)
    save(est, bare)
    found = load(bare)
    np.testing.assert_array_equal(found.predict(texts)["price"], est.predict(texts)["price"])


@pytest.mark.parametrize("n_columns", [1000])
def test_honest_preprocessing_of_arrays_of_zeros_loads(bare, n_columns):
    table = np.zeros((N, n_columns))
    table[:, 0] = X["area"]
    est = quick(preprocessing=StandardScaler(), max_epochs=1).fit(table, Y)
    save(est, bare)
    np.testing.assert_array_equal(load(bare).predict(table)["price"], est.predict(table)["price"])


def test_a_file_of_skops_as_skops_wrote_it_loads(path):
    """As files had it before members were put into one form."""
    found = skops.io.loads(
        read_archive(path)["preprocessing.skops"],
        trusted=skops.io.get_untrusted_types(data=read_archive(path)["preprocessing.skops"]),
    )
    before = load(path).predict(X)
    forge(path, skops=skops.io.dumps(found, compression=zipfile.ZIP_DEFLATED))
    np.testing.assert_array_equal(load(path).predict(X)["price"], before["price"])


# What does not fit together


def task_of(model, position):
    return fields(model, "tasks", "object", "fields", "tasks", "tuple")[position]["object"]["fields"]


def block_of(model):
    return fields(model, "spec", "object", "fields", "blocks", "tuple")[0]["object"]["fields"]


def texts(*values):
    return {"items": {"dtype": "O", "shape": [len(values)], "values": list(values)}}


UNFIT = {
    "transformer": [lambda m, v=v: m["encoder"]["map"].update(transformer=v) for v in (3, "x", [], True)],
    "kept": [
        lambda m, v=v: m["encoder"]["map"].update(_kept=v)
        for v in ({"array": "far"}, {"array": "long"}, 0, sizes(), {"array": "halves"})
    ],
    "dtype": [lambda m, v=v: m["encoder"]["map"].update(dtype=v) for v in ("x", 0, True, None)],
    "scaling": [
        lambda m, v=v: m["encoder"]["map"].update(_scaling=v)
        for v in (1.5, {"map": {}}, {"object": {"class": "Scaling", "fields": {"scale": {"array": "long"}}}})
    ],
    "shape of rows": [lambda m, v=v: m["encoder"]["map"].update(_row_shape=v) for v in (0, sizes("x"), 1.5)],
    "dtype of labels": [
        lambda m, v=v: task_of(m, 1).update(dtype=v)
        for v in (1.5, None, {"map": {}}, {"dtype": {"map": {"polars": "Int8"}}})
    ],
    "name of a task": [lambda m, v=v: task_of(m, 0).update(name=v) for v in (0, None, True, sizes(), "type")],
    "classes": [
        lambda m, v=v: task_of(m, 1).update(classes=v)
        for v in (None, sizes(), texts(), texts("a", "a"), texts("a", "b", "c"), texts("a", []))
    ],
    "location": [lambda m, v=v: task_of(m, 0).update(loc=v) for v in ("x", {"array": "long"}, texts("x"))],
    "scale": [lambda m, v=v: task_of(m, 0).update(scale=v) for v in ({"map": {}}, None)],
    "lowest": [lambda m, v=v: task_of(m, 0).update(low=v) for v in (None, [], texts())],
    "container": [
        lambda m, v=v: m["layout"]["object"]["fields"].update(v)
        for v in ({"kind": "x"}, {"kind": "polars", "schema": {"map": {}}}, {"integers": sizes(1)})
    ],
    "features": [lambda m, v=v: m["attributes"].update(n_features_in_=v) for v in ("x", 10**9, 1.5)],
    "names of features": [
        lambda m, v=v: m["attributes"].update(feature_names_in_=v)
        for v in (3, texts("a"), texts("a", "b", 1), texts("a", [], "b"))
    ],
    "name of a block": [lambda m, v=v: block_of(m).update(name=v) for v in (1.5, "y")],
}


@pytest.mark.parametrize("changes", UNFIT.values(), ids=UNFIT)
@pytest.mark.parametrize("kind", ["auto", "bare"])
def test_what_does_not_fit_together_is_refused(path, bare, kind, changes):
    path = {"auto": path, "bare": bare}[kind]
    honest = path.read_bytes()
    for change in changes:
        path.write_bytes(honest)
        arrays = {"far": np.full(5, 10**9), "long": np.ones(50_000, int), "halves": np.ones(3)}
        forged(path, lambda model, change=change: (change(model), None)[1], **arrays)
        refused(path)


def test_honest_classes_load(bare):
    """What fits together, and looks as if it did not."""
    for labels in (np.zeros(N, int), np.where(X["age"] > 0, 2, -2), np.arange(N) % 3):
        est = quick(max_epochs=1, tasks={"type": "classification"})
        with warnings.catch_warnings(action="ignore"):
            est.fit(X, {"type": labels, "price": Y["price"]})
        save(est, bare)
        assert (load(bare).predict(X)["type"] == est.predict(X)["type"]).all()


def test_a_transformer_that_opens_files_is_refused(bare, tmp_path):
    names = [str(tmp_path / f"{number}") for number in range(N)]
    for name in names:
        Path(name).write_text("a flat by the sea")
    est = quick(preprocessing=TfidfVectorizer(input="filename"), max_epochs=1).fit(names, Y)
    with pytest.raises(TypeError, match="opens files"):
        save(est, bare)
    save(quick(preprocessing=TfidfVectorizer(), max_epochs=1).fit(names, Y), bare)
    forge(bare, skops=skops.io.dumps([est._fitted.encoder.transformer]))
    assert "opens files" in refused(bare)
