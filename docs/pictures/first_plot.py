"""Draws ``first_plot.png`` by the code of the README: ``python docs/pictures/first_plot.py``."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib

HERE = Path(__file__).parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def draw() -> None:
    """Run the code of the README as far as its figure, and write that."""
    matplotlib.use("agg")
    readme = (HERE.parent.parent / "README.md").read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "readme"}
    for code in BLOCK.findall(readme):
        exec(compile(code, "README.md", "exec"), names)
        if "display" in names:
            break
    figure = names["display"].figure_  # type: ignore[attr-defined]
    figure.savefig(HERE / "first_plot.png", dpi=100, facecolor="white")


if __name__ == "__main__":
    draw()
