"""Trunks of tables with codes: a learned vector for each code, beside the numbers."""

import numpy as np
import pytest
import torch

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.trunks import MLP, DefaultTrunk, ModuleTrunk, ResNet, StackedTrunks, TabM
from sklearn_mtl.trunks.layers import CodeEmbedding
from tests.trunks.conftest import Table

CARDINALITIES = (70, 9)
TRUNKS = {
    "mlp": MLP((6, 5), activation="gelu"),
    "resnet": ResNet(6, dropout=0.0),
    "tabm": TabM((6, 5), members=3, dropout=0.0),
    "tabm without embedding": TabM((6, 5), members=3, dropout=0.0, embedding=None),
}
every_trunk = pytest.mark.parametrize("name", TRUNKS)


@pytest.fixture
def table(make_table):
    plain = make_table()
    drawn = np.random.default_rng(0).integers(0, CARDINALITIES, size=(60, 2))
    codes = Block("x_codes", (2,), "codes", cardinalities=CARDINALITIES)
    return Table(
        FeatureSpec((plain.spec.single, codes)), {**plain.inputs, "x_codes": torch.from_numpy(drawn)}
    )


def test_a_code_has_the_vector_of_its_column_and_place():
    embedding = CodeEmbedding(CARDINALITIES, 3)
    first, second = (p.detach() for p in embedding.tables)
    found = embedding(torch.tensor([[69, 0], [2, 8]]))
    expected = torch.stack([torch.cat([first[69], second[0]]), torch.cat([first[2], second[8]])])
    torch.testing.assert_close(found, expected)
    assert embedding(torch.zeros(0, 2, dtype=torch.int64)).shape == (0, 6)


@every_trunk
def test_vectors_come_before_the_numbers_which_are_as_without_codes(name, table):
    trunk = table.build(TRUNKS[name])
    entry = trunk.entry(table.inputs)
    assert entry.shape == (60, trunk.members, trunk.widths[0])
    width = 2 * trunk.entry.embedding.tables[0].shape[1]
    torch.testing.assert_close(entry[:, 0, :width], trunk.entry.embedding(table.inputs["x_codes"]))
    torch.testing.assert_close(entry[..., width:], trunk.entry.entry(table.inputs))


@every_trunk
def test_the_representation_depends_on_each_code_and_has_gradients_for_those_met(name, table):
    trunk = table.build(TRUNKS[name])
    found = trunk(table.inputs)
    for column in range(2):
        moved = table.inputs["x_codes"].clone()
        moved[:, column] = (moved[:, column] + 1) % CARDINALITIES[column]
        assert not torch.equal(trunk({**table.inputs, "x_codes": moved}), found)
    found.sin().sum().backward()
    for column, weight in enumerate(trunk.entry.embedding.tables):
        met = torch.zeros(len(weight), dtype=torch.bool)
        met[table.inputs["x_codes"][:, column]] = True
        assert torch.equal(weight.grad.abs().sum(1) > 0, met)


@every_trunk
@pytest.mark.parametrize("training", [True, False])
def test_side_by_side_they_compute_what_they_do_alone(name, training, table):
    alone = [table.build(TRUNKS[name]).double().train(training) for _ in range(3)]
    together = StackedTrunks(alone).train(training)
    inputs = {
        key: block.double() if block.is_floating_point() else block for key, block in table.inputs.items()
    }
    outputs = torch.stack([trunk(inputs) for trunk in alone], dim=2)
    torch.testing.assert_close(together(inputs), outputs)
    trained = list(together.parameters())
    assert all(len(parameter) == 3 for parameter in trained)
    found = torch.autograd.grad(together(inputs).sin().sum(), trained)
    expected = torch.autograd.grad(outputs.sin().sum(), [p for trunk in alone for p in trunk.parameters()])
    per_trunk = len(expected) // 3
    of_each = [torch.stack(expected[i::per_trunk]) for i in range(per_trunk)]
    torch.testing.assert_close(list(found), of_each)
    assert not any("MappedParts" in type(part).__name__ for part in together.modules())


def test_the_default_trunk_of_a_table_with_codes_is_that_of_a_table(table):
    assert isinstance(DefaultTrunk().suited_to(table.spec), TabM)


def test_a_module_of_the_users_is_given_the_numbers(table):
    trunk = table.build(ModuleTrunk(torch.nn.Linear(7, 5)))
    assert trunk(table.inputs).shape == (60, 1, 5)


def test_tokens_are_no_codes_of_a_table():
    tokens = FeatureSpec((Block("notes", (7,), "codes", cardinalities=(9,) * 7),))
    assert tokens.single.name == "notes"
    assert tokens.codes is None
    assert tokens.tokens == tokens.blocks
    assert not tokens.is_table
