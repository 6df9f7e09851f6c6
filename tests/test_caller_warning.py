"""A warning points at the line outside the package, however deep within it is raised."""

import types

import pytest

from sklearn_mtl import caller_warning


def test_it_points_at_the_line_that_called():
    with pytest.warns(UserWarning, match="look here") as caught:
        caller_warning.warn_caller("look here")
    assert caught[0].filename == __file__


def test_frames_of_the_package_are_passed_over():
    code = "def deeper(warn, depth):\n    return warn('look') if depth == 0 else deeper(warn, depth - 1)\n"
    within = types.ModuleType("within")
    exec(compile(code, f"{caller_warning.PACKAGE}/within.py", "exec"), within.__dict__)
    with pytest.warns(UserWarning, match="look") as caught:
        within.deeper(caller_warning.warn_caller, 3)
    assert caught[0].filename == __file__
