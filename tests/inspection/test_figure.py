"""Where displays draw."""

import builtins

import matplotlib
import numpy as np
import pytest

from sklearn_mtl.inspection.figure import axes_for, pyplot

matplotlib.use("Agg")


@pytest.mark.parametrize(("n_panels", "n_rows", "n_columns"), [(1, 1, 1), (2, 1, 2), (3, 1, 3), (5, 2, 3)])
def test_a_new_figure_has_a_panel_for_each(n_panels, n_rows, n_columns):
    axes = axes_for(None, n_panels)
    (figure,) = {ax.figure for ax in axes}
    assert len(figure.axes) == len(axes) == n_panels
    assert axes[0].get_gridspec().get_geometry() == (n_rows, n_columns)
    np.testing.assert_allclose(figure.get_size_inches(), (4.5 * n_columns, 3.4 * n_rows))


def test_one_axes_of_the_user_is_drawn_in_or_divided():
    figure, (left, right) = pyplot().subplots(1, 2)
    assert axes_for(left, 1)[0] is left
    panels = axes_for(right, 4, in_a_row=2)
    assert {panel.figure for panel in panels} == {figure}
    figure.canvas.draw()
    outer = right.get_position()
    for panel in panels:
        inner = panel.get_position()
        assert outer.x0 - 1e-9 <= inner.x0
        assert inner.x1 <= outer.x1 + 1e-9
    assert not right.axison


def test_axes_of_the_user_are_taken_one_by_one():
    _, axes = pyplot().subplots(2, 2)
    assert list(axes_for(axes, 4)) == list(axes.ravel())
    assert list(axes_for(list(axes[0]), 2)) == list(axes[0])


def test_another_number_of_axes_is_refused():
    _, axes = pyplot().subplots(1, 3)
    with pytest.raises(ValueError, match=r"`ax` must be None, one Axes or 2 of them\. Found 3\."):
        axes_for(axes, 2)


def test_axes_out_of_a_grid_cannot_be_divided():
    ax = pyplot().figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="must be in a grid of subplots to be divided into 2 panels"):
        axes_for(ax, 2)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    original = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r"sklearn-mtl\[plot\]"):
        axes_for(None, 1)


def test_what_is_no_axes_is_named():
    for other in ("left", pyplot().figure()):
        with pytest.raises(TypeError, match="`ax` must be None, one Axes or 1 of them"):
            axes_for(other, 1)
