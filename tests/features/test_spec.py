"""Blocks and their description."""

import pickle

import pytest

from sklearn_mtl.features import Block, FeatureSpec


def test_the_only_block():
    block = Block("x", (3,), n_continuous=2)
    spec = FeatureSpec((block,))
    assert spec.single is block
    assert pickle.loads(pickle.dumps(spec)) == spec == FeatureSpec((Block("x", (3,), n_continuous=2),))


@pytest.mark.parametrize("names", [[], ["table", "image"]])
def test_several_blocks_are_named(names):
    spec = FeatureSpec(tuple(Block(name, (3,)) for name in names))
    with pytest.raises(ValueError, match=rf"one input block. Found {len(names)}: \[.*{''.join(names[:1])}"):
        _ = spec.single
