"""Draws ``network.svg``, one network with a head for each task: ``python docs/pictures/network.py``.

It is drawn on a ground of its own, so that it reads the same on a light and on a dark page.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 900, 372
INK, FAINT, GROUND, CARD = "#1f2933", "#7b8794", "#f7f8fa", "#ffffff"
# Near the first colours of matplotlib's cycle, which tasks have in the figures of the package.
TASKS = [
    ("price", "a number", "245,000", "#1f77b4"),
    ("type", "a class", "TwnhsE", "#d65f00"),
    ("condition", "a grade", "4 of 5", "#2ca02c"),
]
ROWS = [("area", "1,710"), ("built", "2003"), ("heating", "gas"), ("remarks", "quiet, …")]
HEADS = (96, 180, 264)  # the middle of each head
MIDDLE = 180


def text(x: float, y: float, words: str, *, size: int = 14, fill: str = INK, more: str = "") -> str:
    """Return words whose baseline begins at a point."""
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" {more}>{escape(words)}</text>'


def centred(x: float, y: float, words: str, *, size: int = 14, fill: str = INK, more: str = "") -> str:
    """Return words around a point."""
    return text(x, y, words, size=size, fill=fill, more=f'text-anchor="middle" {more}')


def box(x: float, y: float, width: float, height: float, *, line: str = FAINT, fill: str = CARD) -> str:
    """Return a rectangle with round corners."""
    place = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    return f'<rect {place} rx="8" fill="{fill}" stroke="{line}" stroke-width="1.6"/>'


def arrow(x0: float, y0: float, x1: float, y1: float, *, line: str = FAINT) -> str:
    """Return a curve from left to right with a head at its end."""
    bend = (x0 + x1) / 2
    curve = f'<path d="M{x0} {y0} C{bend} {y0} {bend} {y1} {x1 - 7} {y1}" fill="none" stroke="{line}" '
    return f'{curve}stroke-width="2"/><path d="M{x1} {y1} l-9 -4.5 v9 z" fill="{line}"/>'


def row_of_x() -> list[str]:
    """Return one row of the table that is learned from."""
    parts = [centred(88, 64, "X, a table", size=15, more='font-weight="600"'), box(24, 84, 128, 192)]
    for i, (name, value) in enumerate(ROWS):
        y = 108 + 45 * i
        parts += [text(38, y, name, size=12, fill=FAINT), text(38, y + 18, value)]
    return parts


def columns_and_layers() -> list[str]:
    """Return what all tasks share: the preprocessing, and two layers of units."""
    parts = [arrow(156, MIDDLE, 190, MIDDLE), box(192, 120, 112, 120)]
    for i, words in enumerate(("columns are", "scaled,", "filled in,", "encoded")):
        parts.append(centred(248, 156 + 20 * i, words, size=13))
    parts += [arrow(308, MIDDLE, 340, MIDDLE), box(342, 84, 144, 192)]
    parts.append(centred(414, 64, "shared layers", size=15, more='font-weight="600"'))
    units = [108 + 36 * i for i in range(5)]
    for y in units:
        parts += [
            f'<path d="M378 {y} L450 {other}" stroke="{FAINT}" stroke-width="0.7" opacity="0.6"/>'
            for other in units
        ]
    for x in (378, 450):
        parts += [f'<circle cx="{x}" cy="{y}" r="9" fill="{INK}"/>' for y in units]
    return parts


def heads() -> list[str]:
    """Return a head and a prediction for each task."""
    parts = [centred(600, 46, "a head for each task", size=15, more='font-weight="600"')]
    parts.append(centred(790, 46, "one predict", size=15, more='font-weight="600"'))
    for (name, kind, value, colour), y in zip(TASKS, HEADS, strict=True):
        parts += [
            arrow(490, MIDDLE, 540, y, line=colour),
            box(542, y - 30, 116, 60, line=colour),
            centred(600, y - 4, name, more='font-weight="600"'),
            centred(600, y + 16, kind, size=12, fill=FAINT),
            arrow(662, y, 718, y, line=colour),
            box(720, y - 22, 140, 44, line=colour),
            centred(790, y + 6, value, size=16),
        ]
    return parts


def loss() -> list[str]:
    """Return the sum that is minimised, a term in the colour of each task."""
    terms = " + ".join(
        f'<tspan fill="{colour}">w<tspan font-size="11" dy="3">{name}</tspan>'
        f'<tspan dy="-3"> · loss({name})</tspan></tspan>'
        for name, _, _, colour in TASKS
    )
    y = 330
    place = f'x="{WIDTH / 2}" y="{y}" font-size="15" text-anchor="middle" fill="{INK}"'
    return [
        f"<text {place}>loss = {terms}</text>",
        centred(
            WIDTH / 2,
            y + 24,
            "each divided by the loss of its best constant guess; a missing label is left out",
            size=12,
            fill="#52606d",
        ),
    ]


def drawing() -> str:
    """Return the whole picture as SVG."""
    parts = [box(1, 1, WIDTH - 2, HEIGHT - 2, line="#d9dee4", fill=GROUND)]
    parts += row_of_x() + columns_and_layers() + heads() + loss()
    title = "One network: a table goes through shared layers into a head for each of three tasks"
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" font-family="Helvetica, Arial, sans-serif">'
    )
    return "\n".join([start, f"<title>{title}</title>", *parts, "</svg>", ""])


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(drawing(), encoding="utf-8")
