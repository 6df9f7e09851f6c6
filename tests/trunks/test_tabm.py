"""TabM against the network of its authors' package."""

import pytest
import tabm
import torch
from rtdl_num_embeddings import PiecewiseLinearEmbeddings
from torch import nn

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import TabM
from sklearn_mtl.trunks.layers import Dropout
from sklearn_mtl.trunks.tabm import bin_edges


def embedding_of(module):
    return module.entry.embedding


def authors_network(table, *, embed, members=5, n_blocks=2, size=16, dropout=0.1):
    """Return the authors' network for the table, without its head and with our dropout."""
    x, n_continuous = table.inputs["x"], table.spec.single.n_continuous
    embeddings = None
    if embed:
        edges = [row[~row.isnan()] for row in bin_edges(x[:, :n_continuous], 8)]
        embeddings = PiecewiseLinearEmbeddings(edges, 6, activation=False, version="B")
    network = tabm.TabM.make(
        n_num_features=n_continuous,
        cat_cardinalities=[x.shape[1] - n_continuous],
        d_out=None,
        num_embeddings=embeddings,
        k=members,
        n_blocks=n_blocks,
        d_block=size,
        dropout=dropout,
        start_scaling_init="normal",
    )
    for block in network.backbone.blocks:
        assert isinstance(block[-1], nn.Dropout)
        block[-1] = Dropout(block[-1].p)
    return network


@pytest.mark.parametrize("embed", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_tabm_is_the_authors_network(embed, training, make_table):
    table = make_table(n_rows=80, n_continuous=4, n_binary=3)
    # Nine values make eight bins; of more there would be half as many, and the rest empty.
    table.inputs["x"][:, :4] = torch.arange(80.0).reshape(80, 1) % 9 - torch.arange(4)
    # Their categories are one-hot inside; here they come in as columns of 0 and 1.
    code = torch.arange(80) % 3
    table.inputs["x"][:, 4:] = nn.functional.one_hot(code, 3)
    trunk = TabM(
        hidden_sizes=(16, 16),
        members=5,
        embedding="piecewise_linear" if embed else None,
        dropout=0.1,
        n_bins=8,
        embedding_size=6,
    )
    ours, theirs = table.build(trunk), authors_network(table, embed=embed)
    for their, our in zip(theirs.parameters(), ours.parameters(), strict=True):
        nn.init.normal_(our, std=0.3)
        assert their.shape == our.shape
        their.data.copy_(our.data)
    found, gradients = [], []
    for network, arguments in ((ours, (table.inputs,)), (theirs, (table.inputs["x"][:, :4], code[:, None]))):
        torch.manual_seed(0)
        output = network.train(training)(*arguments)
        found.append(output.detach())
        gradients.append(torch.autograd.grad(output.square().mean(), list(network.parameters())))
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-5)
    assert float(found[0].std()) > 0.1


def test_weights_are_drawn_as_the_authors_draw_them(make_table):
    # A single flag: where a category has several columns, theirs share one scale and ours do not.
    table = make_table(n_binary=1)
    trunk = TabM(hidden_sizes=(16, 16), members=5, embedding=None)
    torch.manual_seed(0)
    ours = table.build(trunk)
    torch.manual_seed(0)
    theirs = authors_network(table, embed=False)
    for their, our in zip(theirs.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(our, their, rtol=0, atol=0)


@pytest.mark.parametrize("embed", [True, False])
def test_networks_of_different_rows_can_be_stacked(embed, make_table):
    trunk = TabM(hidden_sizes=(16,), members=3, embedding="piecewise_linear" if embed else None)
    table, few = make_table(n_rows=80), make_table(n_rows=9, seed=1)
    networks = [rows.build(trunk).eval() for rows in (table, few)]
    for network in networks:
        for parameter in network.parameters():
            nn.init.normal_(parameter)
    parameters, buffers = torch.func.stack_module_state(networks)

    def call(parameters, buffers):
        return torch.func.functional_call(networks[0], (parameters, buffers), (table.inputs,))

    together = torch.vmap(call)(parameters, buffers)
    alone = torch.stack([network(table.inputs) for network in networks])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_members_differ_from_the_start(make_table):
    table = make_table()
    for embedding in ("piecewise_linear", None):
        hidden = table.build(TabM(hidden_sizes=(8,), members=4, dropout=0, embedding=embedding))(table.inputs)
        for first in range(4):
            for second in range(first):
                assert (hidden[:, first] - hidden[:, second]).abs().max() > 1e-3


def test_numbers_of_one_feature_start_with_one_scale(make_table):
    table = make_table(n_continuous=3, n_binary=2)
    module = table.build(TabM(hidden_sizes=(8,), members=4, embedding_size=5))
    scale = module.stages[0][0].r
    features = scale[:, :15].unflatten(1, (3, 5))
    assert (features == features[..., :1]).all()
    assert len(features[..., 0].unique()) == 12
    assert len(scale[:, 15:].unique()) == 8


@pytest.mark.parametrize(
    ("n_rows", "n_continuous", "embedded"), [(16, 4, True), (15, 4, False), (3, 0, False), (4, 1, True)]
)
def test_auto_embeds_with_four_rows_for_each_continuous_feature(n_rows, n_continuous, embedded, make_table):
    table = make_table(n_rows, n_continuous, n_binary=2)
    module = table.build(TabM(hidden_sizes=(8,)))
    assert (embedding_of(module) is not None) == embedded
    assert module.widths[0] == (8 * n_continuous if embedded else n_continuous) + 2
    assert module(table.inputs).shape == (n_rows, 4, 8)


@pytest.mark.parametrize(("n_rows", "share"), [(999, 0.1), (1000, None)])
def test_auto_drops_where_rows_are_few(n_rows, share, make_table):
    shares = {layer.p for layer in make_table(n_rows).build(TabM()).modules() if isinstance(layer, Dropout)}
    assert shares == ({share} if share else set())


@pytest.mark.parametrize("dropout", ["automatic", None, 1.0, -0.1])
def test_what_is_no_share_is_refused(dropout, make_table):
    with pytest.raises(ValueError, match=r"`dropout` of TabM must be 'auto' or a number in \[0, 1\). Found"):
        make_table().build(TabM(dropout=dropout))


def test_embedding_is_used_or_not_as_asked(make_table):
    few, many = make_table(n_rows=5), make_table(n_rows=90)
    assert embedding_of(few.build(TabM(embedding="piecewise_linear"))) is not None
    assert embedding_of(many.build(TabM(embedding=None))) is None


@pytest.mark.parametrize("n_rows", [1, 2, 3, 5])
def test_few_rows(n_rows, make_table):
    table = make_table(n_rows=n_rows)
    assert table.build(TabM())(table.inputs).isfinite().all()


def test_error_where_rows_are_too_few_to_embed(make_table):
    table = make_table(n_rows=2)
    with pytest.raises(ValueError, match=r"'piecewise_linear', needs at least 3 training rows. Found 2"):
        table.build(TabM(embedding="piecewise_linear"))


@pytest.mark.parametrize(("n_continuous", "n_binary"), [(0, 4), (4, 0), (1, 0)])
def test_tables_of_one_kind_of_column(n_continuous, n_binary, make_table):
    table = make_table(60, n_continuous, n_binary)
    assert table.build(TabM(hidden_sizes=(5,)))(table.inputs).shape == (60, 4, 5)


@pytest.mark.parametrize("value", [0.0, -3.5, 1e10, -1e10])
def test_constant_column_is_no_error(value, make_table):
    table = make_table(n_continuous=3)
    table.inputs["x"][:, 1] = value
    assert table.build(TabM(dropout=0))(table.inputs).isfinite().all()
    table.inputs["x"][:, :3] = value
    assert table.build(TabM(dropout=0))(table.inputs).isfinite().all()


def test_continuous_column_of_two_values_is_no_error(make_table):
    table = make_table(n_continuous=3)
    table.inputs["x"][:, 1] = (torch.arange(60) % 7 == 0).float()
    assert table.build(TabM())(table.inputs).isfinite().all()


def test_dropout_is_inactive_in_evaluation(make_table):
    table = make_table()
    module = table.build(TabM(dropout=0.5))
    assert (module(table.inputs) != module(table.inputs)).any()
    module.eval()
    torch.testing.assert_close(module(table.inputs), module(table.inputs), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_sizes": ()}, r"`hidden_sizes` of TabM must hold at least one size. Found none"),
        ({"embedding": "periodic"}, "`embedding` of TabM must be None, 'auto' or .* Found 'periodic'"),
        ({"members": 0}, "`members` of TabM must be an integer of at least 1, below 2.*Found 0"),
        ({"members": 2.5}, "`members` of TabM must be an integer of at least 1, below 2.*Found 2.5"),
        ({"members": None}, "`members` of TabM .* Found None"),
        ({"members": True}, "`members` of TabM .* Found True"),
        ({"n_bins": 1}, "`n_bins` of TabM must be an integer of at least 2, below 2.*Found 1"),
        ({"embedding_size": 0}, "`embedding_size` of TabM must be an integer of .* below 2.*Found 0"),
    ],
)
def test_errors(parameters, message, make_table):
    table = make_table()
    with pytest.raises(ValueError, match=message):
        table.build(TabM(**parameters))


def test_error_for_rows_that_are_no_table():
    spec = FeatureSpec((Block("image", (3, 4, 4)),))
    with pytest.raises(ValueError, match=r"TabM takes a table. Found rows of shape \(3, 4, 4\)"):
        TabM().build(spec, {})
