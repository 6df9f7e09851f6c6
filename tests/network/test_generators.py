from threading import Thread

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_mtl.network import GeneratorState, giving_way, seeded
from sklearn_mtl.trunks.layers import Dropout

CPU = torch.device("cpu")


def test_the_global_generator_is_put_back():
    before = torch.get_rng_state()
    with seeded(3, torch.device("cpu")):
        inside = F.dropout(torch.ones(40))
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(3, torch.device("cpu")):
        assert torch.equal(F.dropout(torch.ones(40)), inside)
    with seeded(4, torch.device("cpu")):
        assert not torch.equal(F.dropout(torch.ones(40)), inside)


def test_layers_are_not_drawn_from_the_generator_that_threads_share():
    drawn = []
    for another_seeds in (False, True):
        with seeded(3, CPU):
            first = nn.Linear(2, 3).weight
            if another_seeds:
                torch.manual_seed(9)
            drawn.append(torch.cat([first, nn.Linear(2, 3).weight, torch.empty(3, 2).uniform_()]))
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0][:3], drawn[0][3:6])


def test_a_state_is_gone_on_from_without_the_generator_that_threads_share():
    with seeded(3, CPU):
        state = GeneratorState.now(CPU)
        expected = Dropout(0.5)(torch.ones(50))
        after = GeneratorState.now(CPU)
    before, found = torch.get_rng_state(), []

    def go_on():
        with state.restored(CPU, alone=True):
            found.extend([Dropout(0.5)(torch.ones(50)), GeneratorState.now(CPU).cpu])

    # Nor does it wait for a thread that has seeded torch's.
    with seeded(0, CPU):
        thread = Thread(target=go_on)
        thread.start()
        thread.join(10)
        assert len(found) == 2
    assert torch.equal(found[0], expected)
    assert torch.equal(found[1], after.cpu)
    assert torch.equal(torch.get_rng_state(), before)


def interrupted():
    with seeded(0, torch.device("cpu")):
        F.dropout(torch.ones(1))
        raise KeyboardInterrupt


def test_it_is_put_back_after_an_error_too():
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert torch.equal(torch.get_rng_state(), before)


DRAWS = {
    "rand": lambda: torch.rand(3),
    "randn": lambda: torch.randn(2, 2),
    "randint": lambda: torch.randint(0, 1000, (5,)),
    "randperm": lambda: torch.randperm(50),
    "normal": lambda: torch.normal(torch.zeros(3), 1.0),
    "bernoulli": lambda: torch.full((50,), 0.5).bernoulli(),
    "multinomial": lambda: torch.multinomial(torch.ones(50), 20),
    "rand_like": lambda: torch.rand_like(torch.ones(3)),
    "randn_like": lambda: torch.randn_like(torch.ones(3), dtype=torch.float64),
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(3, 3)),
    "distribution": lambda: torch.distributions.Normal(0.0, 1.0).sample((3,)),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_what_can_be_given_a_generator_is_drawn_from_the_own_one(draw):
    before = torch.get_rng_state()
    with seeded(3, CPU, alone=True):
        one, other = draw(), draw()
    with seeded(3, CPU, alone=True):
        assert torch.equal(draw(), one)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_another_thread_has_its_turn_where_way_is_given():
    before, found = torch.get_rng_state(), []

    def others():
        with seeded(1, CPU):
            found.append(F.dropout(torch.ones(40)))
        found.append(torch.get_rng_state())

    with seeded(3, CPU):
        expected = [F.dropout(torch.ones(40)), F.dropout(torch.ones(40))]
    with GeneratorState.of((torch.Generator().manual_seed(3),) * 2).restored(CPU):
        drawn = [F.dropout(torch.ones(40))]
        with giving_way(CPU):
            thread = Thread(target=others, daemon=True)
            thread.start()
            thread.join(20)
            assert len(found) == 2
        drawn.append(F.dropout(torch.ones(40)))
    assert torch.equal(torch.stack(drawn), torch.stack(expected))
    assert torch.equal(found[1], before)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("alone", [True, False])
def test_where_way_is_given_the_nets_numbers_go_on(alone):
    def drawn(inside):
        with GeneratorState.of((torch.Generator().manual_seed(3),) * 2).restored(CPU, alone=alone):
            with giving_way(CPU):
                numbers = [torch.rand(2) for _ in range(inside)]
            with giving_way(CPU):
                return torch.cat([*numbers, torch.rand(2)])

    before = torch.get_rng_state()
    assert torch.equal(drawn(2)[:4], drawn(1))
    assert torch.equal(torch.get_rng_state(), before)
