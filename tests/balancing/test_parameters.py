"""Parameters of balancing methods."""

from types import SimpleNamespace

import pytest

from sklearn_mtl.balancing.parameters import number_of


@pytest.mark.parametrize(
    ("value", "settings", "rule"),
    [
        ("x", {}, "a number of at least 0"),
        (-1, {}, "a number of at least 0"),
        (float("nan"), {}, "a number of at least 0"),
        (True, {}, "a number of at least 0"),
        (0, {"above": True}, "a number above 0"),
        (2, {"most": 1.0}, "a number of at least 0 and of at most 1"),
        (0.5, {"least": 1.0}, "a number of at least 1"),
    ],
)
def test_what_is_refused(value, settings, rule):
    with pytest.raises(ValueError, match=rf"`rate` of SimpleNamespace must be {rule}\. Found {value!r}\."):
        number_of(SimpleNamespace(rate=value), "rate", **settings)


def test_what_is_taken():
    assert number_of(SimpleNamespace(rate=1), "rate", above=True, most=1.0) == 1.0
    assert number_of(SimpleNamespace(rate=0), "rate") == 0.0
