"""`FTTransformer` is the network of its paper."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor, MultiTaskTarget
from sklearn_mtl.datasets import make_multitask
from sklearn_mtl.features import Block, FeatureSpec
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.training.stacking import train
from sklearn_mtl.trunks import FTTransformer
from sklearn_mtl.trunks.ft_transformer import mean_attention
from tests.trunks.conftest import Table

SMALL = FTTransformer(8, blocks=2, heads=2, attention_dropout=0.0, dropout=0.0)
CARDINALITIES = (9, 5)


@pytest.fixture
def table(make_table):
    plain = make_table()
    drawn = np.random.default_rng(0).integers(0, CARDINALITIES, size=(60, 2))
    codes = Block("x_codes", (2,), "codes", cardinalities=CARDINALITIES)
    return Table(
        FeatureSpec((plain.spec.single, codes)), {**plain.inputs, "x_codes": torch.from_numpy(drawn)}
    )


def attention_of(block):
    """torch's own attention with the weights of a block."""
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    layers = (block.query, block.key, block.value)
    attention.in_proj_weight.data = torch.cat([layer.weight for layer in layers])
    attention.in_proj_bias.data = torch.cat([layer.bias for layer in layers])
    attention.out_proj.load_state_dict(block.mixed.state_dict())
    return attention


def test_it_computes_what_its_paper_says(table):
    trunk = table.build(SMALL)
    entry, (first, second, end) = trunk.entry, trunk.stages
    codes = table.inputs["x_codes"]
    of_codes = [weight[codes[:, i]] for i, weight in enumerate(entry.codes.tables)]
    columns = table.inputs["x"].unsqueeze(-1) * entry.weight + entry.bias
    biased = torch.stack(of_codes, dim=1) + entry.bias_of_codes.view(2, 8)
    tokens = torch.cat([entry.reading.expand(60, 1, 8), biased, columns], dim=1)
    torch.testing.assert_close(entry(table.inputs), tokens.flatten(1).unsqueeze(1))
    tokens = tokens + attention_of(first)(tokens, tokens, tokens)[0]
    hidden, gate = first.first(first.norm(tokens)).chunk(2, dim=-1)
    tokens = tokens + first.second(hidden * gate.relu())
    normalized = second.attention_norm(tokens)
    reading = tokens[:, :1] + attention_of(second)(normalized[:, :1], normalized, normalized)[0]
    hidden, gate = second.first(second.norm(reading)).chunk(2, dim=-1)
    reading = reading + second.second(hidden * gate.relu())
    torch.testing.assert_close(trunk(table.inputs), end(reading))


def test_it_is_that_of_rtdl(make_table):
    rtdl = pytest.importorskip("rtdl_revisiting_models")
    table = make_table()
    trunk = table.build(SMALL).eval()
    settings = {"n_blocks": 2, "d_block": 8, "attention_n_heads": 2, "ffn_d_hidden_multiplier": 4 / 3}
    dropouts = dict.fromkeys(["attention_dropout", "ffn_dropout", "residual_dropout"], 0.0)
    theirs = rtdl.FTTransformer(
        n_cont_features=7, cat_cardinalities=[], d_out=1, **settings, **dropouts
    ).eval()
    theirs.cls_embedding.weight.data = trunk.entry.reading.data
    theirs.cont_embeddings.weight.data = trunk.entry.weight.data
    theirs.cont_embeddings.bias.data = trunk.entry.bias.data
    names = {"W_q": "query", "W_k": "key", "W_v": "value", "W_out": "mixed"}
    for place, (block, own) in enumerate(zip(theirs.backbone.blocks, trunk.stages, strict=False)):
        for name, of_own in names.items():
            getattr(block["attention"], name).load_state_dict(getattr(own, of_own).state_dict())
        if place:
            block["attention_normalization"].load_state_dict(own.attention_norm.state_dict())
        block["ffn_normalization"].load_state_dict(own.norm.state_dict())
        block["ffn"].linear1.load_state_dict(own.first.state_dict())
        block["ffn"].linear2.load_state_dict(own.second.state_dict())
    theirs.backbone.output.normalization.load_state_dict(trunk.stages[-1][0].state_dict())
    theirs.backbone.output.linear = nn.Identity()
    torch.testing.assert_close(trunk(table.inputs).squeeze(1), theirs(table.inputs["x"], None))


def test_tokens_that_a_stack_adds_change_nothing(make_table):
    narrow, wide = make_table(n_binary=1), make_table(n_binary=3)
    one, other = narrow.build(SMALL), wide.build(SMALL)
    for name, parameter in [*one.named_parameters(), *one.named_buffers()]:
        filled = torch.zeros_like(other.state_dict()[name])
        filled[tuple(map(slice, parameter.shape))] = parameter
        other.load_state_dict({name: filled}, strict=False)
    padded = torch.nn.functional.pad(narrow.inputs["x"], (0, 2))
    torch.testing.assert_close(other({"x": padded}), one(narrow.inputs))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"width": 0}, "`width` of FTTransformer must be a positive integer"),
        ({"width": 6}, "`width` of FTTransformer must be a multiple of `heads`, 4. Found 6"),
        ({"heads": 1.5}, "`heads` of FTTransformer must be a positive integer"),
        ({"blocks": 0}, "`blocks` of FTTransformer must be a positive integer"),
        ({"hidden_factor": -1}, "`hidden_factor` of FTTransformer must be a positive number"),
        ({"attention_dropout": 1.0}, "`attention_dropout` of FTTransformer must be a number"),
    ],
)
def test_errors(parameters, message, make_table):
    with pytest.raises(ValueError, match=message):
        make_table().build(FTTransformer(**parameters))
    with pytest.raises(ValueError, match=r"FTTransformer takes a table. Found rows of shape \(3, 4, 4\)"):
        FTTransformer().build(FeatureSpec((Block("image", (3, 4, 4)),)), {})


def test_by_its_short_name():
    X, Y = make_multitask(n_samples=80, n_regression=1, n_binary=1, random_state=0)
    est = MultiTaskClassifierRegressor(trunk="ft_transformer", n_bags=1, max_epochs=3, random_state=0)
    est.set_params(trunk__width=12, trunk__blocks=1).fit(X, Y)
    assert est.transform(X).shape == (80, 12)
    assert np.isfinite(est.score(X, Y))


def test_each_task_has_a_token_that_reads_no_other(table):
    trunk = table.build(FTTransformer(8, heads=2, task_tokens=True).for_tasks(3)).eval()
    assert trunk.per_task
    found = trunk(table.inputs)
    assert found.shape == (60, 1, 3, 8)
    hidden = trunk.entry(table.inputs)
    for stage in trunk.stages[:-1]:
        weights = stage.attention(hidden)[..., :3]
        assert (weights[..., ~torch.eye(3, dtype=bool)] == 0).all()
        assert (weights[..., torch.eye(3, dtype=bool)] > 0).all()
        hidden = stage(hidden)
    attention = mean_attention(trunk, table.inputs)
    assert attention.shape == (60, 3, 9)
    torch.testing.assert_close(attention.sum(-1), torch.ones(60, 3))


def test_one_task_with_a_token_is_the_network_without(table):
    torch.manual_seed(0)
    plain = table.build(SMALL)
    torch.manual_seed(0)
    own = table.build(clone(SMALL).set_params(task_tokens=True).for_tasks(1))
    torch.testing.assert_close(own(table.inputs)[:, :, 0], plain(table.inputs))


def test_task_tokens_must_be_a_flag(table):
    with pytest.raises(ValueError, match=r"`task_tokens` of FTTransformer must be True or False. Found 2"):
        table.build(FTTransformer(task_tokens=2))


@pytest.mark.parametrize("sharing", ["separate", "mmoe", "cross_stitch"])
def test_other_ways_of_sharing_refuse_task_tokens_by_name(sharing):
    X, Y = make_multitask(n_samples=60, n_regression=1, n_binary=1, random_state=0)
    est = MultiTaskClassifierRegressor(trunk=FTTransformer(8, task_tokens=True), sharing=sharing)
    with pytest.raises(ValueError, match=r"`sharing` must be None or HardSharing\(\) for a `trunk` .* Found"):
        est.fit(X, Y)


def test_stacked_task_tokens_are_trained_as_alone(monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 2)
    X, Y = make_multitask(n_samples=80, n_regression=1, n_binary=1, random_state=0)
    est = MultiTaskClassifierRegressor(
        trunk=FTTransformer(8, heads=2, task_tokens=True), n_bags=1, max_epochs=2, random_state=0
    )
    est.set_params(linear_blend=False, tree_blend=False)
    grid = {"task_weights__binary0": [0.5, 2.0]}
    stacked = StackedGridSearchCV(est, grid, cv=2, refit=False).fit(X, Y)
    assert stacked.stacked_["stacked"].all(), stacked.stacked_["reason"].tolist()
    alone = GridSearchCV(est, grid, cv=2, refit=False).fit(X, MultiTaskTarget(Y))
    np.testing.assert_allclose(
        stacked.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"], rtol=1e-4
    )
    est.fit(X, Y)
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.transform(X), est.transform(X))
