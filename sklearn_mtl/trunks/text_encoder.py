"""Networks for texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from sklearn_mtl.features import FeatureSpec
from sklearn_mtl.messages import shown
from sklearn_mtl.recipes import Recipes, resolve, sizes_of
from sklearn_mtl.trunks.layers import ParallelConvolutions, StepEncoder, TokenEmbedding, TokensAsTheyAre
from sklearn_mtl.trunks.parameters import check_counts, check_shares
from sklearn_mtl.trunks.rnn import RNN
from sklearn_mtl.trunks.sequence import SequenceTrunk
from sklearn_mtl.trunks.transformer_encoder import TransformerEncoder
from sklearn_mtl.trunks.trunk import Trunk, TrunkModule


class BagOfTokens(SequenceTrunk):
    """The vectors of a text's tokens, whatever their order: as ``encoder`` of `TextEncoder`.

    Shen et al. (2018), "Baseline Needs More Love: On Simple Word-Embedding-Based Models and Associated
    Pooling Mechanisms" (ACL): with the largest number of each channel, a single word may decide.

    Parameters
    ----------
    pooling : {"max", "mean", "last", "attention"}, default="max"
        What stands for the text: the largest number of each channel, the mean of all tokens, the last one, or
        a weighted mean, the weights learned (Yang et al., 2016).

    Examples
    --------
    >>> from sklearn_mtl.trunks import BagOfTokens
    >>> BagOfTokens(pooling="mean")
    BagOfTokens(pooling='mean')
    """

    def __init__(self, pooling: str = "max") -> None:
        self.pooling = pooling

    def step_encoder(self, n_in: int, n_steps: int) -> StepEncoder:
        """Return what gives each token as it is."""
        return TokensAsTheyAre(n_in)


class TextCNN(SequenceTrunk):
    """Convolutions over a few tokens or steps at a time, and of each channel the largest number.

    Kim (2014), "Convolutional Neural Networks for Sentence Classification" (EMNLP): what is found anywhere in
    a text counts, as phrases are.

    Parameters
    ----------
    channels : int, default=64
        Channels of each convolution; the representation has so many times as many as there are sizes.
    kernel_sizes : sequence of int, default=(3, 4, 5)
        How many tokens the convolutions read.
    pooling : {"max", "mean", "last", "attention"}, default="max"
        What stands for the text: the largest number of each channel, the mean of all tokens, the last one, or
        a weighted mean, the weights learned (Yang et al., 2016).
    dropout : float, default=0.0
        Share of the channels set to 0 while training, in [0, 1).

    Examples
    --------
    >>> from sklearn_mtl.trunks import TextCNN
    >>> TextCNN(kernel_sizes=(1, 2, 3))
    TextCNN(kernel_sizes=(1, 2, 3))
    """

    def __init__(
        self,
        channels: int = 64,
        *,
        kernel_sizes: Sequence[int] = (3, 4, 5),
        pooling: str = "max",
        dropout: float = 0.0,
    ) -> None:
        self.channels = channels
        self.kernel_sizes = kernel_sizes
        self.pooling = pooling
        self.dropout = dropout

    def step_encoder(self, n_in: int, n_steps: int) -> StepEncoder:
        """Return new convolutions."""
        check_counts("TextCNN", channels=self.channels)
        check_shares("TextCNN", dropout=self.dropout)
        sizes = sizes_of(self.kernel_sizes)
        if not sizes:
            raise ValueError(
                "`kernel_sizes` of TextCNN must hold at least one positive integer, below 2**31. Found "
                f"{shown(self.kernel_sizes)}."
            )
        return ParallelConvolutions(n_in, self.channels, sizes, dropout=self.dropout)


ENCODERS: Recipes[SequenceTrunk] = Recipes(
    SequenceTrunk,
    {"bag": BagOfTokens, "cnn": TextCNN, "lstm": RNN, "transformer": TransformerEncoder},
    "`encoder` of TextEncoder must be one of {names} or a trunk for sequences such as RNN()",
)


class TextEncoder(Trunk):
    """A learned vector for each token of a text, and what reads these: the default trunk for texts.

    Tokens are those of `TextPreprocessing`, words or characters. There is a representation for each token,
    for tasks with a label for each, and one for the text.

    Parameters
    ----------
    encoder : {"bag", "cnn", "lstm", "transformer"} or trunk for sequences, default="bag"
        What reads the vectors. ``"bag"`` is `BagOfTokens`, for which their order does not count; ``"cnn"`` is
        `TextCNN`, ``"lstm"`` is `RNN`, and ``"transformer"`` is `TransformerEncoder`, with their default
        parameters. Any trunk for sequences, such as ``BagOfTokens("mean")`` or ``RNN(cell="gru")``, will do.
    embedding_size : int, default=128
        Width of a token's vector.
    dropout : float, default=0.2
        Share of the channels of the vectors set to 0 while training, the same for all tokens of a text, in
        [0, 1).

    Examples
    --------
    >>> from sklearn_mtl.trunks import RNN, TextEncoder
    >>> TextEncoder("cnn", dropout=0.5)
    TextEncoder(dropout=0.5, encoder='cnn')
    >>> TextEncoder(RNN(hidden_size=64, pooling="attention")).get_params()["encoder__hidden_size"]
    64
    """

    def __init__(
        self,
        encoder: str | SequenceTrunk = "bag",
        *,
        embedding_size: int = 128,
        dropout: float = 0.2,
    ) -> None:
        self.encoder = encoder
        self.embedding_size = embedding_size
        self.dropout = dropout

    @classmethod
    def suits(cls, spec: FeatureSpec) -> bool:
        """Whether the input is texts."""
        return spec.is_text

    def build(self, spec: FeatureSpec, statistics: Mapping[str, Tensor]) -> TrunkModule:
        """Return a new trunk, which is an entry without stages."""
        block = spec.single
        if not spec.is_text:
            raise ValueError(
                "TextEncoder takes texts, rows of codes of tokens, as TextPreprocessing makes them. Found "
                f"rows of shape {block.shape} of {block.kind}; another trunk, such as MLP, can."
            )
        check_counts("TextEncoder", embedding_size=self.embedding_size)
        check_shares("TextEncoder", dropout=self.dropout)
        first = TokenEmbedding(block.cardinalities[0], self.embedding_size, self.dropout)
        entry = resolve(ENCODERS, self.encoder).entry(block, first, self.embedding_size)
        return TrunkModule(entry, [], [entry.position_width])
