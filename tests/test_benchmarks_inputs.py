"""The benchmark of images, sequences and texts runs, and times the same networks."""

import json

import numpy as np
import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.inputs_by_hand import ImageNetwork, SequenceNetwork, TextNetwork, codes_of
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import CNN, RNN, TextEncoder


def test_the_suite_runs(tmp_path):
    main(["inputs", "--quick", "--threads", "1", "--out", str(tmp_path)])
    (data,) = tmp_path.glob("*.json")
    results = json.loads(data.read_text(encoding="utf-8"))["results"]
    assert [row["contestant"] for row in results] == ["written by hand", "sklearn_mtl"] * 3
    assert all(value > 0 for row in results for value in row["values"])


@pytest.mark.parametrize(
    ("trunk", "by_hand", "block"),
    [
        (CNN(dropout=0.0), ImageNetwork(), Block("x", (1, 28, 28))),
        (RNN(), SequenceNetwork(3), Block("x", (50, 3))),
        (TextEncoder(dropout=0.0), TextNetwork(20), Block("x", (7,), "codes", cardinalities=(20,))),
    ],
    ids=["images", "sequences", "texts"],
)
def test_the_networks_have_the_same_weights(trunk, by_hand, block):
    module = trunk.build(FeatureSpec((block,)), {})
    own, theirs = ([sorted(p.shape) for p in net.parameters()] for net in (module, by_hand))
    assert sorted(own) == sorted(theirs)
    x = torch.ones((2, *block.shape), dtype=torch.int64 if block.kind == "codes" else torch.float32)
    assert by_hand(x).shape == (2, module.width)


def test_words_become_codes_filled_up_at_the_end():
    np.testing.assert_array_equal(codes_of(["a b a", "a"]), [[2, 3, 2], [2, 0, 0]])
