"""Trunks for sequences: what was filled up changes nothing, and each is the network of its paper."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import RNN, TCN, TransformerEncoder
from sklearn_mtl.trunks.layers import POOLINGS, StepDropout, TemporalConvolution, positional_encoding

TRUNKS = [
    RNN(hidden_size=6, layers=2),
    RNN("gru", hidden_size=6, bidirectional=False),
    TCN(6, blocks=2),
    TCN(6, kernel_size=4),
    TCN(6, blocks=2, causal=True),
    TransformerEncoder(6, heads=2),
]
LENGTHS = torch.tensor([9, 4, 1, 6, 9])
SPEC = FeatureSpec((Block("x", (9, 3)),))


@pytest.fixture
def inputs():
    x = torch.randn(5, 9, 3, generator=torch.Generator().manual_seed(0))
    real = torch.arange(9) < LENGTHS[:, None]
    return {"x": x * real[..., None], "x_lengths": LENGTHS}


def built(trunk, **changed):
    torch.manual_seed(0)
    return type(trunk)(**{**trunk.get_params(), **changed}).build(SPEC, {})


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("trunk", TRUNKS, ids=str)
def test_a_row_alone_and_in_a_longer_batch_are_equal(trunk, pooling, inputs):
    module = built(trunk, pooling=pooling).eval()
    rows, steps = module.with_positions(inputs)
    assert rows.shape == (5, 1, module.width)
    assert steps.shape == (5, 1, 9, module.position_width)
    longer = {"x": F.pad(inputs["x"], (0, 0, 0, 7)), "x_lengths": LENGTHS}
    torch.testing.assert_close(module(longer), rows, rtol=1e-5, atol=2e-6)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = {"x": inputs["x"][row : row + 1, :length], "x_lengths": LENGTHS[row : row + 1]}
        of_row, of_steps = module.with_positions(alone)
        torch.testing.assert_close(of_row[0], rows[row], rtol=1e-5, atol=2e-6)
        torch.testing.assert_close(of_steps[0], steps[row, :, :length], rtol=1e-5, atol=2e-6)
        # All steps are real where no lengths are given.
        torch.testing.assert_close(module({"x": alone["x"]})[0], of_row[0])


@pytest.mark.parametrize("trunk", TRUNKS, ids=str)
def test_what_was_filled_up_is_not_read_and_has_no_gradient(trunk, inputs):
    module = built(trunk, dropout=0.0)
    real = module.mask(inputs)
    assert real.sum(1).tolist() == LENGTHS.tolist()
    x = inputs["x"].masked_fill(~real[..., None], 1e6).requires_grad_()
    rows, steps = module.with_positions({**inputs, "x": x})
    torch.testing.assert_close(rows, module(inputs))
    assert steps.isfinite().all()
    rows.square().sum().backward()
    assert (x.grad[~real] == 0).all()
    assert (x.grad[real].abs().sum(-1) > 0).any()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())


@pytest.mark.parametrize("trunk", TRUNKS, ids=str)
def test_rows_without_a_step_are_finite(trunk):
    # Such are added to a batch in some places, and left out of what comes of it.
    rows = built(trunk)({"x": torch.zeros(2, 9, 3), "x_lengths": torch.tensor([0, 3])})
    assert rows.isfinite().all()


@pytest.mark.parametrize("trunk", TRUNKS, ids=str)
def test_dropout_draws_the_same_however_far_a_batch_was_filled_up(trunk, inputs):
    module = built(trunk, dropout=0.5).train()
    found = []
    for missing in (0, 5):
        torch.manual_seed(1)
        found.append(module({"x": F.pad(inputs["x"], (0, 0, 0, missing)), "x_lengths": LENGTHS}))
    torch.testing.assert_close(*found, rtol=1e-5, atol=2e-6)
    assert not torch.allclose(found[0], module(inputs))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_recurrent_network_is_that_of_torch(cell, inputs):
    module = built(RNN(cell, hidden_size=6, layers=2, pooling="last"))
    own = module.entry.encoder
    theirs = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](3, 6, num_layers=2, bidirectional=True, batch_first=True)
    theirs.load_state_dict(
        {
            f"{name[:-1]}{place}{suffix}": value
            for layers, suffix in ((own.forwards, ""), (own.backwards, "_reverse"))
            for place, layer in enumerate(layers)
            for name, value in layer.state_dict().items()
        }
    )
    packed = pack_padded_sequence(inputs["x"], LENGTHS, batch_first=True, enforce_sorted=False)
    output, state = theirs(packed)
    expected, _ = pad_packed_sequence(output, batch_first=True)
    last = (state[0] if cell == "lstm" else state)[-2:]
    rows, steps = module.with_positions(inputs)
    real = module.mask(inputs)
    torch.testing.assert_close(steps.squeeze(1)[real], expected[real])
    torch.testing.assert_close(rows.squeeze(1), torch.cat(list(last), dim=-1))


def test_a_transformer_is_that_of_torch(inputs):
    module = built(TransformerEncoder(6, heads=2, blocks=1, dropout=0.0))
    own = module.entry.encoder
    (block,) = own.blocks
    theirs = nn.TransformerEncoderLayer(
        6, 2, 12, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    pairs = {
        "norm1": block.attention_norm,
        "norm2": block.norm,
        "linear1": block.first,
        "linear2": block.second,
    }
    for name, part in {**pairs, "self_attn.out_proj": block.mixed}.items():
        theirs.get_submodule(name).load_state_dict(part.state_dict())
    theirs.self_attn.in_proj_weight.data, theirs.self_attn.in_proj_bias.data = (
        block.read.weight,
        block.read.bias,
    )
    real = module.mask(inputs)
    steps = own.first(inputs["x"]) + positional_encoding(9, 6, inputs["x"])
    expected = own.norm(theirs(steps, src_key_padding_mask=~real))
    rows, found = module.with_positions(inputs)
    torch.testing.assert_close(found.squeeze(1)[real], expected[real])
    mean = torch.stack([row[:length].mean(0) for row, length in zip(expected, LENGTHS, strict=True)])
    torch.testing.assert_close(rows.squeeze(1), mean)


def test_places_are_told_by_the_waves_of_their_paper():
    found = positional_encoding(50, 8, torch.zeros(()))
    places, waves = np.arange(50)[:, None], 10_000.0 ** (-np.arange(4) / 4)
    expected = np.concatenate([np.sin(places * waves), np.cos(places * waves)], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_causal_network_does_not_look_ahead(inputs):
    later = inputs["x"].clone()
    later[:, 5:] += 1
    for trunk, looks in ((TCN(6, causal=True), False), (TCN(6), True), (RNN(bidirectional=False), False)):
        module = built(trunk).eval()
        _, before = module.with_positions({"x": inputs["x"]})
        _, after = module.with_positions({"x": later})
        assert torch.allclose(before[:, :, :5], after[:, :, :5], atol=1e-6) != looks


@pytest.mark.parametrize(("kernel_size", "causal"), [(3, True), (2, False), (4, False), (3, False)])
def test_blocks_reach_over_the_longest_sequence(kernel_size, causal):
    x = torch.randn(1, 40, 3).requires_grad_()
    torch.manual_seed(0)
    module = TCN(32, kernel_size=kernel_size, causal=causal).build(FeatureSpec((Block("x", (40, 3)),)), {})
    _, steps = module.with_positions({"x": x})
    place = 39 if causal else 20
    steps[0, 0, place].square().sum().backward()
    assert (x.grad[0].abs().sum(-1) > 0).all()


def test_a_convolution_is_that_of_torch():
    x = torch.randn(2, 9, 3)
    layer = TemporalConvolution(3, 4, 3, dilation=2, causal=False)
    expected = F.conv1d(x.mT, layer.weight, layer.bias, dilation=2, padding="same").mT
    torch.testing.assert_close(layer(x), expected)


def test_dropout_takes_whole_channels():
    torch.manual_seed(0)
    found = StepDropout(0.5).train()(torch.ones(4, 3, 8))
    assert (found == found[:, :1]).all()
    assert set(found.unique().tolist()) == {0.0, 2.0}
    layer = StepDropout(0.5).eval()
    assert torch.equal(layer(found), found)


@pytest.mark.parametrize(
    ("trunk", "message"),
    [
        (RNN("elman"), r"`cell` of RNN must be one of \['gru', 'lstm'\]. Found 'elman'"),
        (RNN(hidden_size=0), "`hidden_size` of RNN must be a positive integer"),
        (RNN(layers="2"), "`layers` of RNN must be a positive integer"),
        (RNN(bidirectional="yes"), "`bidirectional` of RNN must be True or False. Found 'yes'"),
        (RNN(dropout=1.0), r"`dropout` of RNN must be a number in \[0, 1\)"),
        (RNN(pooling="sum"), r"`pooling` of RNN must be one of \['attention', 'last', 'max', 'mean'\]"),
        (TCN(0), "`width` of TCN must be a positive integer"),
        (TCN(blocks="many"), "`blocks` of TCN must be 'auto' or a positive integer. Found 'many'"),
        (TCN(blocks=0), "`blocks` of TCN must be a positive integer"),
        (TCN(kernel_size=1.5), "`kernel_size` of TCN must be a positive integer"),
        (TCN(causal=None), "`causal` of TCN must be True or False"),
        (TCN(dropout=-1), r"`dropout` of TCN must be a number in \[0, 1\)"),
        (TransformerEncoder(6), "`width` of TransformerEncoder must be a multiple of `heads`, 4. Found 6"),
        (TransformerEncoder(blocks=0), "`blocks` of TransformerEncoder must be a positive integer"),
        (TransformerEncoder(hidden_factor=0), "`hidden_factor` of TransformerEncoder must be a positive"),
        (TransformerEncoder(dropout="a"), r"`dropout` of TransformerEncoder must be a number in \[0, 1\)"),
    ],
)
def test_errors(trunk, message):
    with pytest.raises(ValueError, match=message):
        trunk.build(SPEC, {})


@pytest.mark.parametrize("trunk", [RNN(), TCN(), TransformerEncoder()], ids=str)
@pytest.mark.parametrize("shape", [(4,), (1, 8, 8)])
def test_other_input_is_refused(trunk, shape):
    with pytest.raises(ValueError, match=r"takes sequences, rows of shape \(steps, channels\). Found"):
        trunk.build(FeatureSpec((Block("x", shape),)), {})
