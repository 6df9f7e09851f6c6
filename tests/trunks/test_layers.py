"""Dropout, linear layers of an ensemble, and embeddings of numbers against their authors' package."""

import warnings

import pytest
import torch
from rtdl_num_embeddings import PiecewiseLinearEmbeddings
from torch import nn

from sklearn_mtl.trunks.layers import (
    FEWEST_BITS_APART,
    BatchEnsembleLinear,
    Dropout,
    PiecewiseLinearEmbedding,
)
from sklearn_mtl.trunks.tabm import bin_edges

# Dropout.


@pytest.mark.parametrize("p", [0.0, 1e-3, 0.1, 0.5, 0.9, 1 - 1e-9])
def test_a_mask_drops_the_share_and_keeps_the_mean(p):
    mask = Dropout(p).draw((1000, 1003), torch.Generator().manual_seed(0))
    assert mask.shape == (1000, 1003)
    assert len(mask.unique()) <= 2
    dropped = float((mask == 0).double().mean())
    # Five standard errors, and half a level of rounding; the share itself is at most 1 - 2**-16.
    assert dropped == pytest.approx(min(p, 1 - 2**-16), abs=5 * (p * (1 - p) / 1e6) ** 0.5 + 2**-17)
    if p < 0.95:
        assert float(mask.double().mean()) == pytest.approx(1, abs=0.02)
        assert float(mask.max()) == pytest.approx(1 / (1 - p), rel=1e-3)


def test_neighbours_are_dropped_independently():
    dropped = (Dropout(0.5).draw((400_000,), torch.Generator().manual_seed(0)) == 0).double()
    for lag in (1, 2, 3, 4, 8):
        together = (dropped[lag:] * dropped[:-lag]).mean()
        assert float(together) == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 1), (2, 3, 7), (0, 4)])
def test_masks_of_any_shape(shape):
    assert Dropout(0.3).draw(shape).shape == shape


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_mask_has_the_dtype_asked_for_and_the_same_places(dtype):
    masks = [Dropout(0.3).draw((500,), torch.Generator().manual_seed(3), dtype=t) for t in (None, dtype)[1:]]
    reference = Dropout(0.3).draw((500,), torch.Generator().manual_seed(3))
    assert masks[0].dtype == dtype
    assert torch.equal(masks[0] == 0, reference == 0)


def test_the_global_generator_is_the_source_where_none_is_given():
    dropout, state = Dropout(0.5), torch.get_rng_state()
    torch.manual_seed(7)
    first = dropout.draw((50,))
    torch.manual_seed(7)
    assert torch.equal(dropout.draw((50,)), first)
    before = torch.get_rng_state()
    dropout.draw((50,), torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)
    torch.set_rng_state(state)


def test_training_multiplies_by_a_mask_and_evaluation_does_not():
    dropout, x = Dropout(0.4), torch.randn(30, 20, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    trained = dropout(x)
    torch.manual_seed(0)
    mask = dropout.draw(x.shape, dtype=x.dtype)
    torch.testing.assert_close(trained, x * mask, rtol=0, atol=0)
    trained.sum().backward()
    torch.testing.assert_close(x.grad, mask, rtol=0, atol=0)
    assert dropout.eval()(x) is x


def test_its_repr_names_the_share():
    assert repr(Dropout(0.25)) == "Dropout(p=0.25)"


# Batch ensembles.


def with_random_state(layer):
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer


@pytest.mark.parametrize("shared_input", [True, False])
def test_members_are_linear_layers_with_scaled_matrices(shared_input):
    layer = with_random_state(BatchEnsembleLinear(7, 4, 3, shared_input=shared_input)).double()
    x = torch.randn(10, 1, 7, dtype=torch.float64).expand(-1, 3, -1)
    found = layer(x)
    for member in range(3):
        matrix = layer.s[member].diag() @ layer.weight @ layer.r[member].diag()
        torch.testing.assert_close(found[:, member], x[:, member] @ matrix.T + layer.bias[member])


def test_both_ways_of_computing_have_one_gradient():
    layers = [BatchEnsembleLinear(7, 4, 3, [2, 5], shared_input=shared).double() for shared in (True, False)]
    with_random_state(layers[0])
    layers[1].load_state_dict(layers[0].state_dict())
    x = torch.randn(10, 1, 7, dtype=torch.float64).expand(-1, 3, -1)
    gradients = [torch.autograd.grad(layer(x).square().sum(), list(layer.parameters())) for layer in layers]
    torch.testing.assert_close(gradients[0], gradients[1])


def bits_and_layers(share, n_leading, *, shared_input):
    """A table of leading numbers and bits, the layer that computes bits apart, and one that does not."""
    torch.manual_seed(0)
    n_bits = FEWEST_BITS_APART + 3
    numbers = torch.randn(12, n_leading, dtype=torch.float64)
    bits = (torch.rand(12, n_bits) < share).double()
    bits[5] = 0
    layers = [
        BatchEnsembleLinear(n_leading + n_bits, 4, 3, shared_input=shared_input, n_bits=n).double()
        for n in (n_bits, 0)
    ]
    with_random_state(layers[0])
    layers[1].load_state_dict(layers[0].state_dict())
    return numbers, bits, layers


@pytest.mark.parametrize("share", [0.0, 0.05, 0.6])
@pytest.mark.parametrize(("n_leading", "shared_input"), [(0, True), (6, True), (6, False)])
def test_many_bits_are_computed_apart_to_the_same_end(share, n_leading, shared_input):
    numbers, bits, layers = bits_and_layers(share, n_leading, shared_input=shared_input)
    found = []
    for layer in layers:
        leading = numbers.clone().requires_grad_()
        output = layer(torch.cat([leading, bits], dim=1).unsqueeze(1).expand(-1, 3, -1))
        wanted = [*layer.parameters(), *([] if n_leading == 0 else [leading])]
        found.append([output, *torch.autograd.grad(output.sin().sum(), wanted)])
    torch.testing.assert_close(found[0], found[1])


def test_bits_apart_need_not_be_bits():
    numbers, bits, layers = bits_and_layers(0.05, 6, shared_input=False)
    x = torch.cat([numbers, 2.5 * bits], dim=1).unsqueeze(1).expand(-1, 3, -1)
    torch.testing.assert_close(layers[0](x), layers[1](x))


def test_a_prediction_does_not_compute_bits_apart():
    numbers, bits, layers = bits_and_layers(0.05, 6, shared_input=False)
    x = torch.cat([numbers, bits], dim=1).unsqueeze(1).expand(-1, 3, -1)
    assert torch.equal(layers[0].eval()(x), layers[1].eval()(x))


@pytest.mark.parametrize("n_leading", [0, 6])
def test_networks_with_bits_apart_are_stacked_as_they_are_alone(n_leading):
    made = [bits_and_layers(share, n_leading, shared_input=True) for share in (0.05, 0.6)]
    layers = [with_random_state(layers[0]) for _, _, layers in made]
    inputs = torch.stack([torch.cat([numbers, bits], dim=1) for numbers, bits, _ in made])
    parameters, buffers = torch.func.stack_module_state(layers)
    for parameter in parameters.values():
        parameter.requires_grad_()

    def call(parameters, buffers, x):
        x = x.unsqueeze(1).expand(-1, 3, -1)
        return torch.func.functional_call(layers[0], (parameters, buffers), (x,))

    together = torch.vmap(call)(parameters, buffers, inputs)
    alone = [layer(x.unsqueeze(1).expand(-1, 3, -1)) for layer, x in zip(layers, inputs, strict=True)]
    torch.testing.assert_close(together, torch.stack(alone))
    of_stack = torch.autograd.grad(together.sin().sum(), list(parameters.values()))
    of_each = [
        torch.autograd.grad(a.sin().sum(), list(layer.parameters()))
        for layer, a in zip(layers, alone, strict=True)
    ]
    torch.testing.assert_close(list(of_stack), [torch.stack(each) for each in zip(*of_each, strict=True)])


def test_the_gradient_of_bits_apart_has_a_gradient():
    _, bits, layers = bits_and_layers(0.05, 0, shared_input=True)
    second = []
    for layer in layers:
        output = layer(bits.unsqueeze(1).expand(-1, 3, -1))
        first = torch.autograd.grad(output.sin().sum(), list(layer.parameters()), create_graph=True)
        norm = sum(gradient.square().sum() for gradient in first)
        second.append(torch.autograd.grad(norm, list(layer.parameters())))
    torch.testing.assert_close(second[0], second[1])


def test_inputs_of_the_members_may_differ():
    layer, x = with_random_state(BatchEnsembleLinear(7, 4, 3)), torch.randn(10, 3, 7)
    alone = torch.stack([layer(x[:, [member]].expand(-1, 3, -1))[:, member] for member in range(3)], dim=1)
    torch.testing.assert_close(layer(x), alone)


def test_members_start_with_one_matrix_and_bias():
    layer = BatchEnsembleLinear(7, 4, 3)
    assert (layer.r == 1).all()
    assert (layer.s == 1).all()
    assert (layer.bias == layer.bias[0]).all()
    assert len(layer.bias[0].unique()) == 4
    assert float(layer.weight.detach().abs().max()) <= 7**-0.5


@pytest.mark.parametrize("shared_input", [True, False])
def test_batch_ensembles_of_networks_can_be_stacked(shared_input):
    layers = [with_random_state(BatchEnsembleLinear(7, 4, 3, shared_input=shared_input)) for _ in range(5)]
    parameters, buffers = torch.func.stack_module_state(layers)
    x = torch.randn(10, 1, 7).expand(-1, 3, -1)

    def call(parameters, buffers):
        return torch.func.functional_call(layers[0], (parameters, buffers), (x,))

    together = torch.vmap(call)(parameters, buffers)
    torch.testing.assert_close(together, torch.stack([layer(x) for layer in layers]))


# Piecewise-linear embeddings.

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
    assert used.sum(1).tolist() == [4, 1, 2, 1]


def test_embeddings_of_networks_can_be_stacked():
    embeddings = [PiecewiseLinearEmbedding(bin_edges(COLUMNS[start:], 8), 5) for start in (0, 60, 120)]
    for embedding in embeddings:
        nn.init.normal_(embedding.weight)
    parameters, buffers = torch.func.stack_module_state(embeddings)

    def call(parameters, buffers):
        return torch.func.functional_call(embeddings[0], (parameters, buffers), (COLUMNS,))

    together = torch.vmap(call)(parameters, buffers)
    torch.testing.assert_close(together, torch.stack([embedding(COLUMNS) for embedding in embeddings]))


def test_bin_edges_of_continuous_columns_are_quantiles_half_as_many():
    x = torch.randn(1000, 3)
    for column, edges in zip(x.T, bin_edges(x, 10), strict=True):
        torch.testing.assert_close(edges[:6], column.quantile(torch.linspace(0, 1, 6)))
        assert edges[6:].isnan().all()


def test_bin_edges_of_few_values_are_the_values():
    hour = torch.arange(1000.0) % 24
    (edges,) = bin_edges(hour[:, None], 32)
    torch.testing.assert_close(edges[:24], torch.arange(24.0), rtol=0, atol=0)
    assert edges[24:].isnan().all()


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
    monkeypatch.setattr("sklearn_mtl.trunks.tabm.ROWS_FOR_BINS", 100)
    x = torch.randn(1050, 1)
    torch.testing.assert_close(bin_edges(x, 4), bin_edges(x[::10], 4), rtol=0, atol=0, equal_nan=True)
