"""A tokenizer and an encoder from elsewhere, which behave as those of transformers do, take texts."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_mtl import MultiTaskClassifierRegressor
from sklearn_mtl.features import Block, InputPreprocessing, TextPreprocessing
from sklearn_mtl.model_selection import StackedGridSearchCV
from sklearn_mtl.trunks import ModuleTrunk

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "sea", "hill", "house", "flat", "big", "old"]


class StandInTokenizer:
    """Takes a list of texts and returns ids and a mask, as a tokenizer of transformers does."""

    pad_token_id = 0

    def __len__(self):
        return len(WORDS)

    def __call__(self, texts, *, padding, truncation, max_length, return_tensors):
        assert (padding, truncation, return_tensors) == (True, True, "np")
        split = [[2, *(self.of(word) for word in text.split()[: max_length - 2]), 3] for text in texts]
        longest = max(map(len, split))
        ids = np.array([ids + [self.pad_token_id] * (longest - len(ids)) for ids in split])
        mask = np.array([[1] * len(ids) + [0] * (longest - len(ids)) for ids in split])
        return {"input_ids": ids, "attention_mask": mask}

    @staticmethod
    def of(word):
        return WORDS.index(word) if word in WORDS else 1


class StandInModel(nn.Module):
    """Takes ids and a mask and returns an object, as a model of transformers does."""

    def __init__(self, width=16):
        super().__init__()
        self.embeddings = nn.Embedding(len(WORDS), width)
        self.layer = nn.TransformerEncoderLayer(width, 2, 32, dropout=0.0, batch_first=True)

    def forward(self, input_ids, attention_mask):
        hidden = self.layer(self.embeddings(input_ids), src_key_padding_mask=attention_mask == 0)
        return SimpleNamespace(last_hidden_state=hidden)


class Tokens(InputPreprocessing):
    """The ids of a tokenizer of transformers."""

    def __init__(self, tokenizer, max_length=32):
        self.tokenizer = tokenizer
        self.max_length = max_length

    def read(self, estimator, X, *, reset):
        return TextPreprocessing().read(estimator, X, reset=reset)

    def fit(self, X):
        self.longest_ = self.encode(X)["x"].shape[1]
        return self

    def blocks(self):
        ids = Block("x", (self.longest_,), "codes", cardinalities=(len(self.tokenizer),), varies=True)
        return ids, Block("x_lengths", (), "lengths")

    def encode(self, X):
        found = self.tokenizer(
            list(X), padding=True, truncation=True, max_length=self.max_length, return_tensors="np"
        )
        return {"x": found["input_ids"], "x_lengths": found["attention_mask"].sum(1)}


class FirstToken(nn.Module):
    """What the encoder makes of the first token."""

    def __init__(self, model, pad):
        super().__init__()
        self.model, self.pad = model, pad

    def forward(self, ids):
        return self.model(input_ids=ids, attention_mask=(ids != self.pad).long()).last_hidden_state[:, 0]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = [" ".join(rng.choice(WORDS[4:], rng.integers(1, 7))) for _ in range(90)]
    return X, {"sea": [text.count("sea") + 0.5 for text in X], "flat": ["flat" in text for text in X]}


def estimator(**parameters):
    torch.manual_seed(0)
    tokenizer = StandInTokenizer()
    encoder = FirstToken(StandInModel(), tokenizer.pad_token_id)
    return MultiTaskClassifierRegressor(
        preprocessing=Tokens(tokenizer),
        trunk=ModuleTrunk(encoder),
        **{"n_bags": 1, "max_epochs": 3, "batch_size": 16, "random_state": 0, **parameters},
    )


def test_it_learns(data):
    est = estimator(max_epochs=60, lr=0.01).fit(*data)
    assert est.score(*data) > 0.8
    alone = est.predict(data[0][:1])
    np.testing.assert_allclose(alone["sea"], est.predict(data[0])["sea"][:1], rtol=1e-5)


def test_a_frozen_encoder_stays_as_it_was(data):
    est = estimator().set_params(trunk__frozen=True)
    before = {name: value.clone() for name, value in est.trunk.module.state_dict().items()}
    est.fit(*data)
    after = est.net_.module_.sharing.trunk.entry.module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_copies_and_searches(data):
    est = estimator().fit(*data)
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.predict(data[0])["sea"], est.predict(data[0])["sea"])
    X, Y = data
    grid = {"preprocessing__max_length": [3, 8], "lr": [0.001, 0.01]}
    search = StackedGridSearchCV(estimator(), grid, cv=2).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
