"""A warning points at the line of the user's, however deep within the package it is raised."""

import types

import pytest

from sklearn_mtl import caller_warning


def test_it_points_at_the_line_that_called():
    with pytest.warns(UserWarning, match="look here") as caught:
        caller_warning.warn_caller("look here")
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "name", ["sklearn_mtl.within", "sklearn.pipeline", "joblib", "sklearn_mtl_demo.of_the_user"]
)
def test_frames_of_the_package_and_of_what_calls_it_are_passed_over(name):
    code = "def deeper(warn, depth):\n    return warn('look') if depth == 0 else deeper(warn, depth - 1)\n"
    module = types.ModuleType(name)
    exec(compile(code, "deeper.py", "exec"), module.__dict__)
    with pytest.warns(UserWarning, match="look") as caught:
        module.deeper(caller_warning.warn_caller, 3)
    assert caught[0].filename == ("deeper.py" if "user" in name else __file__)
