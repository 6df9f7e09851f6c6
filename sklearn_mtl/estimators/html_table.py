"""A table for a notebook that reads well on light and on dark ground, and on a narrow screen."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

# Colours are those of the page: which theme a notebook has cannot be known.
STYLE = """
.sklearn-mtl-table { overflow-x: auto; margin: 0.6em 0; font-size: 0.9em; line-height: 1.35; }
.sklearn-mtl-table p { margin: 0.2em 0; text-align: left; overflow-wrap: anywhere; }
.sklearn-mtl-table p + p { opacity: 0.75; }
.sklearn-mtl-table table { border-collapse: collapse; margin: 0.3em 0; color: inherit; background: none; }
.sklearn-mtl-table th, .sklearn-mtl-table td { padding: 0.15em 0.7em 0.15em 0; text-align: left;
 border: 0; border-bottom: 1px solid rgba(128, 128, 128, 0.35); color: inherit; background: none;
 vertical-align: top; white-space: nowrap; font-variant-numeric: tabular-nums; }
.sklearn-mtl-table th { font-weight: 600; }
.sklearn-mtl-table td:first-child, .sklearn-mtl-table .words { white-space: normal;
 min-width: 8em; overflow-wrap: anywhere; }
.sklearn-mtl-table .best td { font-weight: 600; }
"""
BEST, WORDS = ' class="best"', ' class="words"'


def table_html(
    title: str,
    notes: Sequence[str],
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    words: Sequence[str] = (),
    best: int | None = None,
) -> str:
    """Return a table, with all text in it escaped.

    Parameters
    ----------
    title : str
        A line above the table.
    notes : sequence of str
        Lines between the title and the table, less prominent.
    head : sequence of str
        The names of the columns.
    rows : sequence of sequence of str
        The cells of each row.
    words : sequence of str, default=()
        Columns of text that may be long: it is broken into lines.
    best : int, optional
        The row that stands out.

    Examples
    --------
    >>> from sklearn_mtl.estimators.html_table import table_html
    >>> "&lt;b&gt;" in table_html("Tasks", [], ["task"], [["<b>"]])
    True
    """
    lines = "".join(f"<p>{escape(line)}</p>" for line in [title, *notes])
    header = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f"<tr{BEST if place == best else ''}>{_cells(head, cells, words)}</tr>"
        for place, cells in enumerate(rows)
    )
    # A notebook makes formulas of what is between two dollars, but for this class.
    table = f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"
    return f'<style>{STYLE}</style><div class="sklearn-mtl-table tex2jax_ignore">{lines}{table}</div>'


def _cells(head: Sequence[str], cells: Sequence[str], words: Sequence[str]) -> str:
    return "".join(
        f"<td{WORDS if name in words else ''}>{escape(cell)}</td>"
        for name, cell in zip(head, cells, strict=True)
    )
