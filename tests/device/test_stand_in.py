"""The stand-in does what a card does: it computes, says where tensors are, and refuses to mix."""

import copy
import pickle

import pytest
import torch
from torch import nn

from tests.device.stand_in import card

needs_no_card = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")
pytestmark = needs_no_card


@pytest.fixture
def on_card():
    with card() as found:
        yield found


MIXED = {
    "add": lambda there, here: there + here,
    "product": lambda there, here: there @ here,
    "in place": lambda there, here: there.add_(here),
    "into the cpu": lambda there, here: here.add_(there),
    "concatenated": lambda there, here: torch.cat([there, here]),
    "stacked single numbers": lambda there, here: torch.stack([there.sum(), here.sum()]),
    "rows by positions": lambda there, here: there.index_select(0, torch.arange(2)),
    "many at once": lambda there, here: torch._foreach_add_([there], [here]),
    "counts of an optimizer": lambda there, here: torch._fused_adamw_(
        [there],
        [there.clone()],
        [there.clone()],
        [there.clone()],
        [],
        [torch.tensor(1.0)],
        lr=0.1,
        beta1=0.9,
        beta2=0.9,
        weight_decay=0.0,
        eps=1e-8,
        amsgrad=False,
        maximize=False,
    ),
    "drawn from a generator of the CPU": lambda there, here: there.normal_(generator=torch.Generator()),
    "mapped over": lambda there, here: torch.func.vmap(lambda row: row + here[0])(there),
    "a module": lambda there, here: nn.Linear(2, 3)(there),
    "as an array": lambda there, here: there.numpy(),
}


@pytest.mark.parametrize("mix", MIXED.values(), ids=MIXED)
def test_it_refuses_to_mix(on_card, mix):
    there, here = torch.ones(2, 2, device="cuda"), torch.ones(2, 2)
    with pytest.raises((RuntimeError, TypeError)):
        mix(there, here)


def test_it_takes_what_a_card_takes_and_notes_it(on_card):
    there, here = torch.ones(3, 2, device="cuda"), torch.ones(3, 2)
    assert torch.equal((there * torch.tensor(2.0)).cpu(), 2 * here)
    assert not on_card.to_card
    there.copy_(here)
    assert there[torch.tensor([0, 1])].device.type == "cuda"
    assert len(on_card.to_card) == 2
    here.copy_(there)
    assert there.sum().item() == 6
    assert (len(on_card.to_cpu), on_card.waits) == (2, ["_local_scalar_dense"])
    assert there.tolist() == here.tolist()


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(2, device="cuda"),
        lambda: torch.tensor([1.0], device="cuda:0"),
        lambda: torch.ones(2).to("cuda"),
        lambda: torch.ones(2, device="cuda").new_tensor([1.0]),
        lambda: torch.arange(3, device=torch.device("cuda")),
        lambda: torch.randn(2, device="cuda", generator=torch.Generator("cuda")),
        lambda: nn.Linear(2, 2).to("cuda").weight,
        lambda: copy.deepcopy(nn.Linear(2, 2).to("cuda")).weight,
        lambda: pickle.loads(pickle.dumps(torch.ones(2, device="cuda"))),
        lambda: torch.func.vmap(lambda row: row * 2)(torch.ones(2, 2, device="cuda")),
        lambda: torch.ones(2, device="cuda").detach().requires_grad_().sum(),
    ],
)
def test_tensors_say_where_they_are(on_card, make):
    made = make()
    assert made.device == torch.device("cuda", 0)
    assert made.is_cuda
    assert not made.is_cpu
    assert made.cpu().device.type == "cpu"


def test_gradients_and_writing_in_place():
    torch.manual_seed(0)
    here = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x = torch.randn(5, 3)
    with card():
        there = copy.deepcopy(here).to("cuda")
        optimizer = torch.optim.AdamW(there.parameters(), fused=True)
        there(x.to("cuda")).square().mean().backward()
        assert all(parameter.grad.is_cuda for parameter in there.parameters())
        optimizer.step()
        found = there(x.to("cuda")).cpu()
        # A vector times a matrix has its first axis taken off in place.
        assert (torch.ones(5, device="cuda") @ x.to("cuda")).shape == (3,)
        part = torch.zeros(2, 3, device="cuda")
        there[0].bias.data = torch.zeros(6, 4, device="cuda")[2]
        part[1] = 2
        assert part.sum() == 6
    here(x).square().mean().backward()
    torch.optim.AdamW(here.parameters(), fused=True).step()
    torch.testing.assert_close(found, here(x))


def test_outside_of_the_block_there_is_no_card():
    with card():
        assert torch.cuda.is_available()
    assert not torch.cuda.is_available()
    with pytest.raises((RuntimeError, AssertionError)):
        torch.ones(1, device="cuda")
