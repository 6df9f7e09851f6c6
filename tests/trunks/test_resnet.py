"""`ResNet` is the network of its paper."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.trunks import ResNet

SMALL = ResNet(6, blocks=2, hidden_factor=1.5, dropout=0.0)


@pytest.mark.parametrize("normalization", ["layer", "batch"])
@pytest.mark.parametrize("training", [True, False])
def test_it_computes_what_its_paper_says(normalization, training, make_table):
    table = make_table()
    trunk = table.build(ResNet(**{**SMALL.get_params(), "normalization": normalization})).train(training)
    norm = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d}[normalization]

    def like(part):
        plain = norm(6).train(training)
        plain.load_state_dict(part.state_dict())
        return plain

    first, *blocks, last = trunk.stages
    norms = [like(block.part[0]) for block in blocks] + [like(last[0])]
    found = trunk(table.inputs)
    x = first(table.inputs["x"])
    for own, block in zip(norms, blocks, strict=False):
        x = x + block.part[3](block.part[1](own(x)).relu())
    torch.testing.assert_close(found, norms[-1](x).relu().unsqueeze(1))


def test_it_is_that_of_rtdl(make_table):
    rtdl = pytest.importorskip("rtdl_revisiting_models")
    table = make_table()
    trunk = table.build(ResNet(**{**SMALL.get_params(), "normalization": "batch"})).eval()
    settings = {"n_blocks": 2, "d_block": 6, "d_hidden_multiplier": 1.5, "dropout1": 0.0, "dropout2": 0.0}
    theirs = rtdl.ResNet(d_in=7, d_out=1, **settings).eval()
    first, *blocks, last = trunk.stages
    theirs.input_projection.load_state_dict(first.state_dict())
    for block, own in zip(theirs.blocks, blocks, strict=True):
        for name, place in (("normalization", 0), ("linear1", 1), ("linear2", 3)):
            getattr(block, name).load_state_dict(own.part[place].state_dict())
    theirs.output.normalization.load_state_dict(last[0].state_dict())
    theirs.output.linear = nn.Identity()
    torch.testing.assert_close(trunk(table.inputs).squeeze(1), theirs(table.inputs["x"]))


def test_dropout_is_where_it_was_asked_for(make_table):
    trunk = make_table().build(ResNet(6, dropout=0.2, residual_dropout=0.3))
    assert [[layer.p for layer in block.part if hasattr(layer, "p")] for block in trunk.stages[1:-1]] == [
        [0.2, 0.3]
    ] * 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"width": 0}, "`width` of ResNet must be a positive integer"),
        ({"blocks": 1.5}, "`blocks` of ResNet must be a positive integer"),
        ({"hidden_factor": 0}, "`hidden_factor` of ResNet must be a positive number"),
        ({"hidden_factor": "2"}, "`hidden_factor` of ResNet must be a positive number"),
        ({"dropout": 1.0}, r"`dropout` of ResNet must be a number in \[0, 1\)"),
        ({"residual_dropout": None}, r"`residual_dropout` of ResNet must be a number in \[0, 1\)"),
        ({"normalization": "group"}, r"`normalization` of ResNet must be one of \['batch', 'layer'\]"),
    ],
)
def test_errors(parameters, message, make_table):
    with pytest.raises(ValueError, match=message):
        make_table().build(ResNet(**parameters))


def test_by_its_short_name():
    X, Y = make_multitask(n_samples=80, n_regression=1, n_binary=1, random_state=0)
    est = MultiTaskClassifierRegressor(trunk="resnet", n_bags=1, max_epochs=3, random_state=0)
    est.set_params(trunk__width=12, trunk__blocks=1).fit(X, Y)
    assert est.transform(X).shape == (80, 12)
    assert np.isfinite(est.score(X, Y))
