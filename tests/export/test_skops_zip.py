"""What skops writes is put into one form; how much of it is believed is in test_forged."""

import io
import json
import zipfile

import numpy as np
import pytest
import scipy.sparse
import skops.io
from sklearn.preprocessing import StandardScaler

from sklearn_mtl.export.skops_zip import canonical, check_bounds
from tests.export.forging import members_of


def dumped(value):
    return canonical(skops.io.dumps(value, compression=zipfile.ZIP_DEFLATED))


def loaded(content):
    return skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))


def test_shared_objects_stay_shared_and_others_their_own():
    shared, other = [1.5], [1.5]
    first, second, third = loaded(dumped([shared, shared, other]))
    assert first is second
    assert first == third
    assert first is not third


def test_a_shared_array_is_there_once():
    array = np.arange(3)
    content = dumped([array, array, np.arange(3)])
    assert len(members_of(content)) == 3
    first, second, third = loaded(content)
    assert first is second
    np.testing.assert_array_equal(first, third)


@pytest.mark.parametrize(
    "value",
    [
        {"file": "a", "__id__": 3, "__loader__": "SetNode", "content": {"a"}},
        [np.float32(1.5), np.int64(2), np.str_("a")],
        {1: (2, (3, "x")), "y": None, 1.5: True},
        {"a", "b", ("c", 1), 3},
        [b"bytes", bytearray(b"more"), np.dtype("<U7")],
        [np.array(["a", "bc"]), np.array([1, "x"], dtype=object), np.zeros((0, 3))],
        [slice(1, None), np.arctan, np.float64, int],
        "naïve ünïcode 😀",
    ],
    ids=["names", "scalars", "mapping", "set", "bytes", "arrays", "functions", "text"],
)
def test_values_come_back(value):
    content = dumped(value)
    check_bounds(content)
    np.testing.assert_equal(loaded(content), value)


def test_a_sparse_matrix_comes_back():
    matrix = scipy.sparse.random(20, 30, density=0.1, format="csr", random_state=0)
    content = dumped([matrix])
    check_bounds(content)
    assert (loaded(content)[0] != matrix).nnz == 0


def test_nothing_in_the_file_is_an_address_or_a_date():
    scaler = StandardScaler().fit(np.arange(6.0).reshape(3, 2))
    content = dumped([scaler, {"b", "a"}])
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        schema = file.read("schema.json").decode()
    numbers = [int(part.split("}")[0].split(",")[0]) for part in schema.split('"__id__":')[1:]]
    assert max(numbers) < 100
    assert schema.index('\\"a\\"') < schema.index('\\"b\\"')


def test_the_form_of_a_form_is_itself():
    content = dumped([StandardScaler().fit(np.arange(6.0).reshape(3, 2)), {"a", "b"}, np.arange(3)])
    assert canonical(content) == content


def test_it_is_shorter_than_what_skops_writes():
    scalers = [StandardScaler().fit(np.arange(6.0).reshape(3, 2)) for _ in range(10)]
    content = skops.io.dumps(scalers, compression=zipfile.ZIP_DEFLATED)
    assert len(members_of(canonical(content))["schema.json"]) < len(members_of(content)["schema.json"]) / 2
    assert json.loads(members_of(canonical(content))["schema.json"])["_skops_version"]
