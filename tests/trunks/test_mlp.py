"""The perceptron against one written by hand."""

import pytest
import torch
from torch import nn

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import MLP
from sklearn_mtl.trunks.layers import Dropout


@pytest.mark.parametrize(
    ("activation", "written"),
    [
        ("relu", nn.ReLU()),
        ("gelu", nn.GELU()),
        ("silu", nn.SiLU()),
        ("selu", nn.SELU()),
        ("tanh", nn.Tanh()),
        ("identity", nn.Identity()),
    ],
)
@pytest.mark.parametrize("normalization", [None, "layer"])
def test_mlp_is_the_one_written_by_hand(activation, written, normalization, make_table):
    table = make_table()
    trunk = MLP(hidden_sizes=(9, 4), activation=activation, dropout=0.2, normalization=normalization)
    module = table.build(trunk)
    layers = []
    for n_in, n_out in ((7, 9), (9, 4)):
        layers += [nn.Linear(n_in, n_out), *([nn.LayerNorm(n_out)] if normalization else [])]
        layers += [written, Dropout(0.2)]
    by_hand = nn.Sequential(*layers)
    for theirs, ours in zip(by_hand.parameters(), module.parameters(), strict=True):
        nn.init.normal_(ours)
        theirs.data.copy_(ours.data)
    for mode in (True, False):
        outputs = []
        for network, inputs in ((module, table.inputs), (by_hand, table.inputs["x"])):
            torch.manual_seed(0)
            outputs.append(network.train(mode)(inputs))
        # In evaluation products are filled up with zeros, which rounds otherwise.
        torch.testing.assert_close(outputs[0], outputs[1][:, None], rtol=0, atol=0 if mode else 1e-5)


def test_weights_are_drawn_as_torch_draws_them(make_table):
    table = make_table()
    torch.manual_seed(0)
    module = table.build(MLP(hidden_sizes=(9, 4)))
    torch.manual_seed(0)
    by_hand = nn.Sequential(nn.Linear(7, 9), nn.Linear(9, 4))
    for theirs, ours in zip(by_hand.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_no_hidden_layer_is_the_input(make_table):
    table = make_table()
    module = table.build(MLP(hidden_sizes=()))
    torch.testing.assert_close(module(table.inputs)[:, 0], table.inputs["x"])
    assert not list(module.parameters())


@pytest.mark.parametrize("shape", [(1,), (13,), (3, 4), (3, 8, 5), (2, 2, 2, 2)])
def test_rows_of_any_shape_are_flattened(shape):
    x = torch.randn(11, *shape)
    spec = FeatureSpec((Block("pixels", shape),))
    module = MLP(hidden_sizes=(7, 3)).build(spec, {})
    assert module({"pixels": x}).shape == (11, 1, 3)
    flat = MLP(hidden_sizes=(7, 3)).build(FeatureSpec((Block("pixels", (x[0].numel(),)),)), {})
    flat.load_state_dict(module.state_dict())
    torch.testing.assert_close(flat({"pixels": x.flatten(1)}), module({"pixels": x}))


def test_dropout_is_active_in_training_only(make_table):
    table = make_table()
    module = table.build(MLP(hidden_sizes=(200,), activation="identity", dropout=0.4))
    trained = module(table.inputs)
    assert float((trained == 0).float().mean()) == pytest.approx(0.4, abs=0.03)
    evaluated = module.eval()(table.inputs)
    assert (evaluated != 0).all()
    torch.testing.assert_close(module(table.inputs), evaluated)


def test_error_for_normalization(make_table):
    table = make_table()
    with pytest.raises(ValueError, match=r"`normalization` of MLP must be None or one of .*Found 'batch'"):
        table.build(MLP(normalization="batch"))
