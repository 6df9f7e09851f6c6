import numpy as np
import pytest
import torch

from sklearn_mtl.network import TreePart
from sklearn_mtl.network.tree_part import MOST_PLACES


def part(**changes):
    """Two trees of the first output, one of the third, none of the second."""
    tensors = {
        "column": [0, 1, 0, 0, 0, 2, 0, 0, 0],
        "number": [0.5, -1.0, 1.0, 2.0, 4.0, 0.0, 10.0, 20.0, 100.0],
        "below": [[1, 4], [2, 3], [2, 2], [3, 3], [4, 4], [6, 7], [6, 6], [7, 7], [8, 8]],
        "root": [0, 5, 8],
        "n_trees": [2, 0, 1],
        "start": [0.0, 7.0, 0.5],
        "share": [1.0, 0.5, 0.25],
    }
    return TreePart(
        **{
            name: torch.tensor(changes.get(name, values), dtype=TreePart.buffer_dtypes[name] or torch.float32)
            for name, values in tensors.items()
        }
    )


ROWS = torch.tensor([[0.5, -1.0, 0.1], [0.5, -0.9, 0.0], [0.6, 0.0, -3.0]])


def test_rows_at_most_the_number_go_to_the_first_child_and_the_leaves_of_an_output_add_up():
    expected = [[1.0 + 20, 7.0, 100.5], [2.0 + 10, 7.0, 100.5], [4.0 + 10, 7.0, 100.5]]
    assert part()({"x": ROWS}).tolist() == expected


def test_the_share_is_that_of_the_trees():
    raw = torch.randn(3, 2, 3)
    one = part(share=[0.0, 1.0, 0.25])
    beside = one({"x": ROWS})
    blended = one.blended(raw, beside)
    assert torch.equal(blended[..., 0], raw[..., 0])
    assert torch.equal(blended[..., 1], beside[:, 1:2].expand(3, 2))
    assert torch.allclose(blended[..., 2], 0.75 * raw[..., 2] + 0.25 * beside[:, None, 2])


def test_many_rows_are_walked_through_in_pieces_of_bounded_memory():
    few = torch.randn(50, 3)
    n_times = MOST_PLACES // 3 // 50 + 2
    every = part()({"x": few.repeat(n_times, 1)})
    assert torch.equal(every, part()({"x": few}).repeat(n_times, 1))


def test_nothing_of_it_is_trained():
    assert list(part().parameters()) == []


def state(**changes):
    return {f"trees.{name}": tensor.numpy() for name, tensor in part(**changes).state_dict().items()}


def test_a_state_tells_the_shapes_of_the_trees_and_whether_there_are_some():
    found = TreePart.in_state(state())
    found.load_state_dict(part().state_dict())
    assert torch.equal(found({"x": ROWS}), part()({"x": ROWS}))
    shapes = {f"trees.{name}": tuple(tensor.shape) for name, tensor in found.state_dict().items()}
    assert shapes == TreePart.expected_shapes(state(), 3, 3)
    assert TreePart.in_state({"raw_scale": np.ones(3)}) is None


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"column": [0, 1, 0, 0, 0, 3, 0, 0, 0]}, "not there"),
        ({"column": [0, 1, 0, 0, 0, -1, 0, 0, 0]}, "not there"),
        ({"root": [0, 5, 9]}, "not there"),
        ({"below": [[1, 4], [2, 3], [2, 2], [3, 3], [4, 4], [6, 9], [6, 6], [7, 7], [8, 8]]}, "not there"),
        ({"below": [[1, 4], [0, 3], [2, 2], [3, 3], [4, 4], [6, 7], [6, 6], [7, 7], [8, 8]]}, "above"),
        ({"n_trees": [2, 0, 2]}, "3 trees"),
    ],
)
def test_a_state_of_impossible_trees_is_refused(changes, found):
    with pytest.raises(ValueError, match=found):
        TreePart.expected_shapes(state(**changes), 3, 3)
