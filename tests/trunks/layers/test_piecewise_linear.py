"""The embedding against that of its authors' package, and its bins."""

import warnings

import pytest
import torch
from rtdl_num_embeddings import PiecewiseLinearEmbeddings
from torch import nn

from sklearn_mtl.trunks.layers.piecewise_linear import PiecewiseLinearEmbedding, bin_edges

PLACE = torch.arange(200.0)
# Columns whose eight quantiles make eight bins, one, two, and one.
COLUMNS = torch.stack(
    [
        torch.randn(200, generator=torch.Generator().manual_seed(0)),
        3.0 * (PLACE % 5 == 0) - 1,
        PLACE % 3 - 1,
        2.0 * (PLACE == 199) - 0.5,
    ],
    dim=1,
)


def authors_embedding(edges, size):
    rows = [row[~row.isnan()] for row in edges]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The .*-th feature has just two bin edges")
        return PiecewiseLinearEmbeddings(rows, size, activation=False, version="B")


@pytest.mark.parametrize("n_bins", [2, 3, 8, 32])
@pytest.mark.parametrize("columns", [(0,), (1,), (3, 1), (0, 1, 2, 3)])
def test_the_embedding_is_the_authors(n_bins, columns):
    table = COLUMNS[:, columns]
    edges = bin_edges(table, n_bins)
    ours, theirs = PiecewiseLinearEmbedding(edges, 5), authors_embedding(edges, 5)
    nn.init.normal_(ours.weight)
    with torch.no_grad():
        theirs.linear0.weight.copy_(ours.scale)
        theirs.linear0.bias.copy_(ours.bias)
        theirs.linear.weight.zero_()
        # Theirs keep the last bin at the end, ours puts empty bins there.
        for i, row in enumerate(edges):
            last = int((~row.isnan()).sum()) - 2
            theirs.linear.weight[i, :last] = ours.weight[i, :last]
            theirs.linear.weight[i, -1] = ours.weight[i, last]
    # Beyond the outer edges too.
    x = torch.cat([table, table * 3, table - 2])
    torch.testing.assert_close(ours(x), theirs(x).flatten(1), rtol=1e-5, atol=1e-5)


def test_it_begins_as_a_linear_embedding_drawn_as_the_authors_draw_it():
    edges = bin_edges(COLUMNS, 8)
    torch.manual_seed(0)
    ours = PiecewiseLinearEmbedding(edges, 5)
    torch.manual_seed(0)
    theirs = authors_embedding(edges, 5)
    torch.testing.assert_close(ours(COLUMNS), theirs(COLUMNS).flatten(1), rtol=0, atol=0)
    assert not ours.weight.any()


def test_shapes_are_the_same_whatever_the_data():
    states = [
        {name: value.shape for name, value in PiecewiseLinearEmbedding(edges, 5).state_dict().items()}
        for edges in (bin_edges(COLUMNS, 8), bin_edges(COLUMNS[:5], 8), bin_edges(COLUMNS * 0, 8))
    ]
    assert states[0] == states[1] == states[2]


def test_empty_bins_learn_nothing():
    embedding = PiecewiseLinearEmbedding(bin_edges(COLUMNS, 8), 5)
    embedding(COLUMNS).square().sum().backward()
    used = embedding.weight.grad.abs().sum(-1) > 0
    assert used.sum(1).tolist() == [8, 1, 2, 1]


def test_networks_can_be_stacked():
    embeddings = [PiecewiseLinearEmbedding(bin_edges(COLUMNS[start:], 8), 5) for start in (0, 60, 120)]
    for embedding in embeddings:
        nn.init.normal_(embedding.weight)
    parameters, buffers = torch.func.stack_module_state(embeddings)

    def call(parameters, buffers):
        return torch.func.functional_call(embeddings[0], (parameters, buffers), (COLUMNS,))

    together = torch.vmap(call)(parameters, buffers)
    torch.testing.assert_close(together, torch.stack([embedding(COLUMNS) for embedding in embeddings]))


def test_bin_edges_are_quantiles():
    x = torch.randn(1000, 3)
    for column, edges in zip(x.T, bin_edges(x, 10), strict=True):
        torch.testing.assert_close(edges, column.quantile(torch.linspace(0, 1, 11)))


def test_bin_edges_increase_whatever_the_column():
    x = torch.stack(
        [torch.arange(50.0), torch.arange(50.0) // 25, torch.full((50,), -1e10), torch.zeros(50)], dim=1
    )
    x[:49, 3] = 1.0
    edges = bin_edges(x, 32)
    assert edges.shape == (4, 33)
    for row in edges:
        found = row[~row.isnan()]
        assert 2 <= len(found) <= 33
        assert (found.diff() > 0).all()
        assert row[len(found) :].isnan().all()


def test_bin_edges_of_many_rows_are_those_of_some(monkeypatch):
    monkeypatch.setattr("sklearn_mtl.trunks.layers.piecewise_linear.ROWS_FOR_BINS", 100)
    x = torch.randn(1050, 1)
    torch.testing.assert_close(bin_edges(x, 4), bin_edges(x[::10], 4), rtol=0, atol=0)
