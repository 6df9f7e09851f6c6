"""What is left out on a card is there."""

from pathlib import Path

import pytest

from tests.device.left_out import LEFT_OUT

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("beginning", LEFT_OUT)
def test_each_is_the_name_of_a_test(beginning):
    path, _, name = beginning.partition("::")
    assert f"def {name.partition('[')[0]}" in (ROOT / path).read_text(encoding="utf-8")
