"""Orders and mappings of tasks, and their levels."""

from itertools import pairwise

import pytest

from sklearn_mtl.sharing.task_graph import depths, graph_of, without

NAMES = ["a", "b", "c", "d"]


def test_each_task_of_an_order_reads_all_before_it():
    assert graph_of("order", ["c", "a", "b"], NAMES) == {"c": (), "a": ("c",), "b": ("c", "a")}
    assert graph_of("order", ("b",), NAMES) == {"b": ()}
    assert graph_of("order", [], NAMES) == {}


def test_a_mapping_says_what_tasks_read_and_one_may_be_named_alone():
    assert graph_of("order", {"b": "a", "d": ["a", "c"]}, NAMES) == {"b": ("a",), "d": ("a", "c")}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            "ab",
            "must be a list of names of tasks, or a mapping from a task to those that it reads. Found 'ab'",
        ),
        (3, "Found 3."),
        ({"a"}, "must be a list"),
        (["a", "x", 4], r"names unknown tasks \['x', 4\]; the tasks are \['a', 'b', 'c', 'd'\]"),
        ({"x": ["a"]}, r"names unknown tasks \['x'\]"),
        ({"a": ["x"]}, r"names unknown tasks \['x'\]"),
        ({"a": 3}, r"names unknown tasks \[3\]"),
        ({"a": [["b"]]}, r"names unknown tasks \[\['b'\]\]"),
        (["a", "b", "a"], r"must name a task once. Found \['a', 'b', 'a'\]"),
        ({"a": ["b", "b"]}, "must name a task once"),
    ],
    ids=repr,
)
def test_what_is_no_order_is_refused(given, told):
    with pytest.raises(ValueError, match=told):
        graph_of("order", given, NAMES)


def test_levels_are_longest_ways_and_a_condition_is_of_the_same_level():
    reads = {"b": ("a",), "c": ("a", "b"), "d": ("a",)}
    assert depths("`order`", reads, {}) == {"a": 0, "b": 1, "c": 2, "d": 1}
    assert depths("`order`", reads, {"d": ("c",)}) == {"a": 0, "b": 1, "c": 2, "d": 2}
    assert depths("`order`", {}, {}) == {}


@pytest.mark.parametrize(
    ("reads", "same", "cycle"),
    [
        ({"a": ("a",)}, {}, "'a -> a'"),
        ({"a": ("b",), "b": ("a",)}, {}, "'(a -> b -> a|b -> a -> b)'"),
        ({"a": ("b",)}, {"b": ("a",)}, "'(a -> b -> a|b -> a -> b)'"),
    ],
)
def test_a_cycle_is_named(reads, same, cycle):
    with pytest.raises(ValueError, match=f"`order` must have no cycle, .* Found {cycle}"):
        depths("`order`", reads, same)


def test_a_long_chain_has_as_many_levels():
    names = [str(number) for number in range(3000)]
    reads = {task: (before,) for before, task in pairwise(names)}
    assert depths("`order`", dict(reversed(reads.items())), {})["2999"] == 2999


def test_tasks_are_left_out_of_orders_and_mappings():
    assert without(["a", "b", "c"], ["b"]) == ["a", "c"]
    assert without({"b": "a", "c": ["a", "b"], "a": "d"}, ["a"]) == {"b": [], "c": ["b"]}
    assert without(None, ["a"]) is None
