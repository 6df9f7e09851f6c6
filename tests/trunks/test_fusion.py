"""`Fusion`: a trunk for each input, built unchanged, and one representation of theirs."""

import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.recipes import resolve
from sklearn_mtl.trunks import CNN, MLP, TRUNKS, FTTransformer, Fusion, TabM

SPEC = FeatureSpec(
    (
        Block("photo", (3, 4, 4)),
        Block("photo_present", (), "present"),
        Block("table", (3,), n_continuous=3),
    )
)
PARTS = {"photo": MLP((6,)), "table": TabM((5,), members=2)}
ROWS = {
    "photo": torch.randn(7, 3, 4, 4),
    "photo_present": torch.tensor([1.0, 0, 1, 0, 1, 1, 1]),
    "table": torch.randn(7, 3),
}


def test_the_parts_are_what_they_are_alone():
    torch.manual_seed(0)
    fused = Fusion(PARTS).build(SPEC, {})
    torch.manual_seed(0)
    alone = [trunk.build(SPEC.of(name), {}) for name, trunk in PARTS.items()]
    for part, of in zip(fused.entry.trunks, alone, strict=True):
        torch.testing.assert_close(part.eval()(ROWS), of.eval()(ROWS))


@pytest.mark.parametrize("fusion", ["concat", "gated", "attention"])
def test_members_are_those_of_the_ensemble_and_every_weight_learns(fusion):
    trunk = Fusion(PARTS, fusion=fusion, hidden_sizes=(8,), width=12).build(SPEC, {})
    found = trunk(ROWS)
    assert found.shape == (7, 2, 8)
    found.square().sum().backward()
    assert all(weight.grad is not None for weight in trunk.parameters())


@pytest.mark.parametrize("fusion", ["concat", "gated", "attention"])
def test_what_stands_in_the_place_of_a_missing_input_changes_nothing(fusion):
    trunk = Fusion(PARTS, fusion=fusion).build(SPEC, {}).eval()
    photo = ROWS["photo"].clone()
    photo[[1, 3]] = 9.0
    torch.testing.assert_close(trunk({**ROWS, "photo": photo}), trunk(ROWS))
    photo[0] = 9.0
    assert not torch.allclose(trunk({**ROWS, "photo": photo})[0], trunk(ROWS)[0])


def test_without_hidden_layers_the_fusion_is_the_representation():
    assert Fusion(PARTS, hidden_sizes=()).build(SPEC, {}).width == 6 + 5
    assert Fusion(PARTS, hidden_sizes=(), fusion="gated", width=9).build(SPEC, {}).width == 9


def test_trunks_have_parameters_by_the_names_of_the_inputs():
    given = MLP((6,))
    trunk = clone(Fusion({"photo": given}))
    assert trunk.get_params()["photo__hidden_sizes"] == (6,)
    trunk.set_params(photo__dropout=0.2, table__members=3, fusion="gated")
    assert (given.dropout, trunk.trunks["photo"].dropout, trunk.fusion) == (0.0, 0.2, "gated")
    assert trunk.suited_to(SPEC).trunks["table"].members == 3
    trunk.set_params(table=nn.Linear(3, 4))
    assert trunk.build(SPEC, {}).entry.trunks[1].width == 4
    with pytest.raises(ValueError, match="Invalid parameter 'fusing' for estimator Fusion"):
        trunk.set_params(fusing="gated")


def test_short_names_stand_for_trunks():
    trunk = Fusion({"photo": "cnn"}).suited_to(SPEC)
    assert (type(trunk.trunks["photo"]), type(trunk.trunks["table"])) == (CNN, TabM)
    trunk = Fusion({"photo": "cnn"}).set_params(photo__dropout=0.2, table="mlp")
    assert (trunk.trunks["photo"].dropout, trunk.trunks["table"]) == (0.2, "mlp")
    assert resolve(TRUNKS, "fusion").set_params(photo="cnn").get_params()["photo"] == "cnn"


@pytest.mark.parametrize(
    ("wrong", "found"),
    [("cnnn", "'cnnn'"), (3, "3"), (CNN, "Did you mean CNN"), ("CNN", "Did you mean 'cnn'")],
)
def test_what_is_no_trunk_is_refused_with_its_input(wrong, found):
    message = r"one of \['cnn', .*Found .* for input 'photo'"
    with pytest.raises(ValueError, match=message) as refused:
        Fusion({"photo": wrong}).suited_to(SPEC)
    assert found in str(refused.value)


def test_statistics_are_those_of_each_trunk():
    rows = {"photo": torch.randn(500, 3, 4, 4), "table": torch.randn(500, 3)}
    found = Fusion(PARTS).fit_statistics(SPEC, rows)
    assert set(found) == {f"table.{name}" for name in PARTS["table"].fit_statistics(SPEC.of("table"), rows)}
    assert Fusion(PARTS).build(SPEC, found).width == 128


def test_a_representation_for_each_task_is_refused():
    trunk = Fusion({"table": FTTransformer(8, task_tokens=True)})
    with pytest.raises(ValueError, match=r"one representation for all tasks.*inputs \['table'\]"):
        trunk.for_tasks(2).build(SPEC, {})
