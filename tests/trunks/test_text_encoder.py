"""TextEncoder: what was filled up changes nothing, and each encoder is the network of its paper."""

import pytest
import torch
from torch.nn import functional as F

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import RNN, TCN, BagOfTokens, DefaultTrunk, TextCNN, TextEncoder
from sklearn_mtl.trunks.layers import TokenEmbedding

LENGTHS = torch.tensor([7, 3, 1, 5])
SPEC = FeatureSpec(
    (Block("x", (7,), "codes", cardinalities=(20,), varies=True), Block("x_lengths", (), "lengths"))
)
ENCODERS = [
    "bag",
    "cnn",
    "lstm",
    "transformer",
    BagOfTokens("mean"),
    BagOfTokens("attention"),
    TextCNN(4, kernel_sizes=(1, 2)),
    TCN(6, blocks=2),
]


@pytest.fixture
def inputs():
    codes = torch.randint(1, 20, (4, 7), generator=torch.Generator().manual_seed(0))
    return {"x": codes * (torch.arange(7) < LENGTHS[:, None]), "x_lengths": LENGTHS}


def built(*given, **parameters):
    torch.manual_seed(0)
    return TextEncoder(*given, **{"embedding_size": 8, **parameters}).build(SPEC, {})


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_a_text_alone_and_in_a_longer_batch_are_equal(encoder, inputs):
    module = built(encoder).eval()
    rows, tokens = module.with_positions(inputs)
    assert rows.shape == (4, 1, module.width)
    assert tokens.shape == (4, 1, 7, module.position_width)
    longer = {"x": F.pad(inputs["x"], (0, 5)), "x_lengths": LENGTHS}
    torch.testing.assert_close(module(longer), rows, rtol=1e-5, atol=2e-6)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = {"x": inputs["x"][row : row + 1, :length], "x_lengths": LENGTHS[row : row + 1]}
        of_row, of_tokens = module.with_positions(alone)
        torch.testing.assert_close(of_row[0], rows[row], rtol=1e-5, atol=2e-6)
        torch.testing.assert_close(of_tokens[0], tokens[row, :, :length], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_what_fills_up_is_not_learned(encoder, inputs):
    module = built(encoder)
    module(inputs).square().sum().backward()
    of_codes = module.entry.first.table.grad.abs().sum(1)
    assert of_codes[0] == 0
    assert of_codes.count_nonzero() > 3


def test_the_mean_is_that_of_the_vectors(inputs):
    module = built(BagOfTokens("mean")).eval()
    table = module.entry.first.table
    for row, length in enumerate(LENGTHS.tolist()):
        expected = table[inputs["x"][row, :length]].mean(0)
        torch.testing.assert_close(module(inputs)[row, 0], expected)


def test_convolutions_are_those_of_the_paper(inputs):
    module = built(TextCNN(5, kernel_sizes=(1, 3))).eval()
    vectors = module.entry.first.table[inputs["x"][:1]].mT
    parts = [
        F.conv1d(vectors, layer.weight, layer.bias, padding="same").relu().amax(-1)
        for layer in module.entry.encoder.convolutions
    ]
    torch.testing.assert_close(module(inputs)[:1, 0], torch.cat(parts, dim=-1))


def test_dropout_takes_channels_of_a_whole_text():
    torch.manual_seed(0)
    layer = TokenEmbedding(20, 8, dropout=0.5).train()
    vectors = layer(torch.tensor([[3, 3, 3], [5, 5, 5]]))
    assert (vectors == vectors[:, :1]).all()
    assert ((vectors == 0).float().mean() - 0.5).abs() < 0.4
    assert (layer.eval()(torch.tensor([[3]]))[0, 0] == layer.table[3]).all()


def test_names_stand_for_trunks_of_sequences():
    torch.manual_seed(0)
    one = TextEncoder("lstm").build(SPEC, {})
    torch.manual_seed(0)
    other = TextEncoder(RNN()).build(SPEC, {})
    assert one.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_texts_have_it_by_default():
    assert isinstance(DefaultTrunk(embedding_size=16).suited_to(SPEC), TextEncoder)
    assert DefaultTrunk(embedding_size=16).suited_to(SPEC).embedding_size == 16


@pytest.mark.parametrize(
    ("trunk", "message"),
    [
        (
            TextEncoder("gru"),
            r"`encoder` of TextEncoder must be one of \['bag', 'cnn', 'lstm', 'transformer'\]",
        ),
        (TextEncoder(3), "`encoder` of TextEncoder must be one of .* or a trunk for sequences such as RNN"),
        (TextEncoder(RNN), r"`encoder` of TextEncoder .* Did you mean RNN\(\)\?"),
        (TextEncoder(RNN(pooling="sum")), "`pooling` of RNN must be one of"),
        (TextEncoder(embedding_size=0), "`embedding_size` of TextEncoder must be a positive integer"),
        (TextEncoder(dropout=1), r"`dropout` of TextEncoder must be a number in \[0, 1\)"),
        (TextEncoder(TextCNN(0)), "`channels` of TextCNN must be a positive integer"),
        (TextEncoder(TextCNN(kernel_sizes=())), "`kernel_sizes` of TextCNN must hold at least one positive"),
        (TextEncoder(TextCNN(kernel_sizes="345")), "`kernel_sizes` of TextCNN must hold"),
        (TextEncoder(TextCNN(dropout=2)), r"`dropout` of TextCNN must be a number in \[0, 1\)"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_errors(trunk, message):
    with pytest.raises(ValueError, match=message):
        trunk.build(SPEC, {})


@pytest.mark.parametrize("shape", [(4,), (5, 3), (1, 8, 8)])
def test_other_input_is_refused(shape):
    with pytest.raises(ValueError, match="TextEncoder takes texts, rows of codes of tokens"):
        TextEncoder().build(FeatureSpec((Block("x", shape),)), {})
