"""The default preprocessing of a table as one module: numbers and codes of texts to encoded rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_mtl.features import FeatureEncoder
from sklearn_mtl.features.clipping import FARTHEST, LIMIT
from sklearn_mtl.features.codes import MISSING, N_OTHERS, RARE
from sklearn_mtl.features.sizes import LARGEST
from sklearn_mtl.features.table import _CYCLES
from sklearn_mtl.inference.exported.decoding import CannotBeHeld
from sklearn_mtl.messages import shown

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column that is told apart by its texts.

    Parameters
    ----------
    column : int
        Its position in X.
    texts : list of str or None
        What has a code of its own, from code 1 on; None is a missing value, 0 any other text.
    """

    column: int
    texts: list[str | None]


class TableEncoding(nn.Module):
    """What a fitted `FeatureEncoder` makes of a table, in the order and the precision of numpy.

    Parameters
    ----------
    encoder : FeatureEncoder
        Fitted; with ``preprocessing="auto"``, or with what a user's transformer is followed by.
    after_transformer : bool, default=False
        Whether the numbers are those that the user's transformer gives, which are then scaled alone.

    Attributes
    ----------
    texts : list of TextColumn
        The columns whose codes `forward` takes; all others are among its numbers.

    Raises
    ------
    CannotBeHeld
        If columns are encoded by something else than arithmetic and tables.
    """

    def __init__(self, encoder: FeatureEncoder, *, after_transformer: bool = False) -> None:
        super().__init__()
        self.dtype = torch.float64 if encoder.dtype is np.float64 else torch.float32
        self.texts: list[TextColumn] = []
        self.numeric: list[int] | None = None
        self.parts = nn.ModuleList()
        transformer = None if after_transformer else encoder.transformer
        if transformer is not None:
            self._add_parts(encoder, transformer)
        self.scaling = None if encoder._scaling is None else Rescaled(encoder._scaling)
        kept = encoder._kept
        self.register_buffer("kept", None if kept is None else torch.from_numpy(kept.astype(np.int64)))
        codes = None if encoder._codes is None or transformer is None else encoder._codes
        self.codes = None if codes is None else CodesOf(codes, self.texts)

    def _add_parts(self, encoder: FeatureEncoder, transformer: Any) -> None:
        steps = [
            (name, step, list(columns))
            for name, step, columns in transformer[-1].transformers_
            if len(columns) and name != "remainder"
        ]
        words = next((columns for name, _, columns in steps if name == "words"), [])
        if words:
            raise CannotBeHeld(f"the words of free text, in columns {shown(words)} of X")
        of_levels = next((columns for name, _, columns in steps if name == "level"), [])
        tables = dict(_tables(next((step for name, step, _ in steps if name == "level"), None)))
        levels = (
            {}
            if encoder._codes is None
            else dict(zip(encoder._codes.columns, encoder._codes.levels, strict=True))
        )
        for place, column in enumerate(of_levels):
            texts = tables[place][0]
            more = [text for text in levels.get(column, ()) if text not in set(texts)]
            self.texts.append(TextColumn(column, [*texts, *more]))
        n_columns = encoder.transformer.n_features_in_
        self.numeric = [column for column in range(n_columns) if column not in of_levels]
        place_of = {column: place for place, column in enumerate(self.numeric)}
        for name, step, columns in steps:
            if name == "level":
                made: Any = [
                    LevelTable(place, tables[place][1], len(self.texts[place].texts) + 1)
                    for place in range(len(columns))
                ]
                self.parts.extend(made)
            else:
                places = [place_of[column] for column in columns]
                self.parts.append(_PARTS[name](places, step))

    def forward(self, numbers: Tensor, codes: Tensor | None = None) -> list[Tensor]:
        """Return the blocks of encoded rows: numbers, and codes where the encoder has a block of them.

        Parameters
        ----------
        numbers : tensor of float64, shape (rows, n_numbers)
            The columns that are numbers, NaN where missing; dates and durations in seconds.
        codes : tensor of int64, shape (rows, n_texts)
            The codes of the texts, as `texts` has them.
        """
        encoded = numbers
        if len(self.parts):
            encoded = torch.cat([part(numbers, codes) for part in self.parts], dim=1)
        if self.scaling is not None:
            encoded = self.scaling(encoded)
        if self.kept is not None:
            encoded = encoded.index_select(1, self.get_buffer("kept"))
        blocks = [encoded.to(self.dtype)]
        return blocks if self.codes is None else [*blocks, self.codes(codes)]


class Rescaled(nn.Module):
    """What a `Scaling` does to columns."""

    shift: Tensor | None
    limit: Tensor | None

    def __init__(self, scaling: Any) -> None:
        super().__init__()
        for name in ("scale", "shift", "limit"):
            array = getattr(scaling, name)
            self.register_buffer(name, None if array is None else torch.from_numpy(array.astype(np.float64)))

    def forward(self, x: Tensor) -> Tensor:
        """Return scaled columns."""
        scale = self.get_buffer("scale")
        if self.shift is not None:
            return (x - self.shift) / scale
        scaled = x / scale
        return scaled if self.limit is None else _clipped(scaled.clamp(-LARGEST, LARGEST), self.limit)


class Columns(nn.Module):
    """A part of the table that reads some of the numbers, as double precision."""

    def __init__(self, places: Sequence[int], **arrays: Any) -> None:
        super().__init__()
        self.register_buffer("places", torch.tensor(places))
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.array(array)))

    def taken(self, numbers: Tensor) -> Tensor:
        """Return the columns that the part reads."""
        return numbers.index_select(1, self.get_buffer("places"))


class Scaled(Columns):
    """Numbers: filled with the median where missing, scaled, and clipped where there were outliers."""

    def __init__(self, places: Sequence[int], step: Any) -> None:
        fill, standard, robust, clip = (
            step.named_steps[name]
            for name in ("simpleimputer", "standardscaler", "robustscaler", "outlierclip")
        )
        super().__init__(
            places,
            fill=fill.statistics_.astype(np.float64),
            mean=standard.mean_,
            deviation=standard.scale_,
            centre=robust.center_,
            spread=robust.scale_,
            has_outliers=clip.has_outliers_,
        )

    def converted(self, columns: Tensor) -> Tensor:
        """Return the numbers that stand for the columns: these themselves, unless a part says otherwise."""
        return columns

    def forward(self, numbers: Tensor, codes: Tensor | None) -> Tensor:
        """Return the encoded columns."""
        x = self.converted(self.taken(numbers))
        x = torch.where(x.isnan(), self.get_buffer("fill"), x)
        x = (x - self.get_buffer("mean")) / self.get_buffer("deviation")
        x = (x - self.get_buffer("centre")) / self.get_buffer("spread")
        return torch.where(self.get_buffer("has_outliers"), _clipped(x, LIMIT), x.clamp(-FARTHEST, FARTHEST))


class ScaledDates(Scaled):
    """Dates, in seconds since 1970: seconds, year, and sine and cosine of month, day of week and hour."""

    def __init__(self, places: Sequence[int], step: Any) -> None:
        super().__init__(places, step)
        for name, (_, period) in _CYCLES.items():
            angles = np.append(np.arange(period) * (2 * np.pi / period), np.nan)
            self.register_buffer(f"{name}_sin", torch.from_numpy(np.sin(angles)))
            self.register_buffer(f"{name}_cos", torch.from_numpy(np.cos(angles)))

    def converted(self, columns: Tensor) -> Tensor:
        """Return the eight numbers of each date, NaN where it is missing."""
        is_gap = columns.isnan()
        seconds = torch.where(is_gap, 0.0, columns)
        days = _whole(seconds, SECONDS_PER_DAY)
        year, month = _year_and_month(days)
        hour = _whole(seconds - days * SECONDS_PER_DAY, 3600)
        # The first of January 1970 was a Thursday, the fourth day of a week.
        since_monday = days + 3 - 7 * _whole(days + 3, 7)
        parts = [columns, torch.where(is_gap, torch.nan, year)]
        for name, number in (("month", month - 1), ("day_of_week", since_monday), ("hour", hour)):
            step = torch.where(is_gap, len(self.get_buffer(f"{name}_sin")) - 1, number.long())
            parts += [self.get_buffer(f"{name}_sin")[step], self.get_buffer(f"{name}_cos")[step]]
        return torch.stack(parts, dim=2).flatten(1)


class Bits(Columns):
    """Numbers no less than 0 and no more than 1, the more frequent of both where missing."""

    def __init__(self, places: Sequence[int], step: Any) -> None:
        super().__init__(places, fill=step.named_steps["simpleimputer"].statistics_.astype(np.float64))

    def forward(self, numbers: Tensor, codes: Tensor | None) -> Tensor:
        """Return the encoded columns."""
        x = self.taken(numbers)
        return torch.where(x.isnan(), self.get_buffer("fill"), x.clamp(0, 1))


class Gaps(Columns):
    """1 where a value is missing, and 0 elsewhere."""

    def __init__(self, places: Sequence[int], step: Any) -> None:
        super().__init__(places)

    def forward(self, numbers: Tensor, codes: Tensor | None) -> Tensor:
        """Return the encoded columns."""
        return self.taken(numbers).isnan().double()


class LevelTable(nn.Module):
    """The columns of 0 and 1 of one column of texts, looked up by its codes.

    Parameters
    ----------
    place : int
        Which of the codes.
    table : ndarray of shape (n, width)
        What is encoded of each code, that of other texts the first; texts beyond are encoded as these.
    n_codes : int
        Number of codes.
    """

    def __init__(self, place: int, table: np.ndarray, n_codes: int) -> None:
        super().__init__()
        self.place = place
        others = np.broadcast_to(table[:1], (n_codes - len(table), table.shape[1]))
        self.register_buffer("table", torch.from_numpy(np.concatenate([table, others])))

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return the encoded columns."""
        return self.get_buffer("table")[codes[:, self.place]]


class CodesOf(nn.Module):
    """The codes that a network knows, of columns of many levels, by the codes of texts."""

    def __init__(self, codes: Any, texts: Sequence[TextColumn]) -> None:
        super().__init__()
        places = {of.column: place for place, of in enumerate(texts)}
        self.places = [places[column] for column in codes.columns]
        for number, levels in enumerate(codes.levels):
            code_of = {text: code for code, text in enumerate(levels, N_OTHERS)}
            own = texts[self.places[number]].texts
            table = [RARE, *(MISSING if text is None else code_of.get(text, RARE) for text in own)]
            self.register_buffer(f"table_{number}", torch.tensor(table))

    def forward(self, codes: Tensor) -> Tensor:
        """Return the codes, shape (rows, n_columns)."""
        found = [
            self.get_buffer(f"table_{number}")[codes[:, place]] for number, place in enumerate(self.places)
        ]
        return torch.stack(found, dim=1)


_PARTS: dict[str, Any] = {"number": Scaled, "date": ScaledDates, "duration": Scaled, "bit": Bits, "gap": Gaps}


def _clipped(x: Tensor, limit: float | Tensor) -> Tensor:
    """Return what `smooth_clip` does."""
    return x / torch.sqrt(1 + (x / limit) ** 2)


def _tables(step: Any) -> Iterator[tuple[int, tuple[list[str | None], np.ndarray]]]:
    """Yield the place of each column of texts, its texts, and what the one-hot encoder makes of them."""
    if step is None:
        return
    one_hot = step[-1]
    firsts = [categories[0] for categories in one_hot.categories_]
    ends = np.cumsum(_widths(one_hot))
    for place, (categories, end) in enumerate(zip(one_hot.categories_, ends, strict=True)):
        texts: list[str | None] = list(categories)
        if None not in texts:
            texts.append(None)
        rows = np.empty((len(texts) + 1, len(firsts)), dtype=object)
        rows[:] = firsts
        rows[:, place] = [_unseen(texts), *texts]
        start = 0 if place == 0 else int(ends[place - 1])
        yield place, (texts, one_hot.transform(rows)[:, start : int(end)].astype(np.float64))


def _widths(one_hot: Any) -> list[int]:
    """Return how many columns each column of texts is encoded as."""
    return [
        len(categories) - (0 if rare is None else len(rare) - 1)
        for categories, rare in zip(one_hot.categories_, one_hot.infrequent_categories_, strict=True)
    ]


def _unseen(texts: Sequence[str | None]) -> str:
    """Return a text that is none of some texts."""
    longest = max((len(text) for text in texts if text is not None), default=0)
    return "_" * (longest + 1)


def _whole(x: Tensor, n: int) -> Tensor:
    """Return how many times a number goes into others, rounded down; ONNX would divide integers as floats."""
    return (x / n).floor()


def _year_and_month(days: Tensor) -> tuple[Tensor, Tensor]:
    """Return the year and the month of days since 1970, in the Gregorian calendar, all of double precision.

    A year is counted from March on, so that the day that is not in all years is its last; months then have
    31, 30, 31, 30, 31 days again and again. After 400 years, which are 146,097 days, the calendar repeats.
    """
    # The first of March of the year 0 was 719,468 days before 1970.
    days = days + 719_468
    cycle = _whole(days, 146_097)
    day = days - cycle * 146_097
    year = _whole(day - _whole(day, 1_460) + _whole(day, 36_524) - _whole(day, 146_096), 365)
    day_of_year = day - (365 * year + _whole(year, 4) - _whole(year, 100))
    since_march = _whole(5 * day_of_year + 2, 153)
    month = torch.where(since_march < 10, since_march + 3, since_march - 9)
    return year + cycle * 400 + (month <= 2).double(), month
