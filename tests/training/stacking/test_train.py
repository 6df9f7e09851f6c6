"""Plans are trained in stacks or alone, and each outcome says how."""

import pickle
import re
from weakref import ref

import pytest
import torch

from sklearn_mtl.training import train_nets
from sklearn_mtl.training.net import MultiTaskNet
from sklearn_mtl.training.runs import make_ready, train_alone
from sklearn_mtl.training.stacking import train
from sklearn_mtl.training.stacking.trainer import StackedTrainer
from sklearn_mtl.trunks import MLP, TabM
from tests.training.stacking.nets import plans_of, same_net, stacked_as_alone


def test_a_single_net_is_no_stack(data):
    (outcome,) = dict(train_nets(plans_of(data, max_epochs=1))).values()
    assert "fewer than 2 nets" in outcome.not_stacked_because


def test_plans_too_few_for_a_stack_are_trained_without_a_look_at_their_structure(data, monkeypatch):
    monkeypatch.setattr(train, "FEWEST_ON_CPU", 3)
    for name in ("_Stacks", "Structures", "StackedTrainer"):
        monkeypatch.setattr(train, name, None)
    plans = [plan for seed in (0, 1) for plan in plans_of(data, max_epochs=2, random_state=seed)]
    outcomes = dict(train_nets(plans))
    for place, plan in enumerate(plans):
        assert outcomes[place].not_stacked_because == "a stack of fewer than 3 nets is no faster"
        same_net(outcomes[place].trained(), train_alone(make_ready(plan)), 0)


def test_few_nets_are_no_stack_on_a_cpu(data, monkeypatch):
    monkeypatch.undo()
    fewest = train.FEWEST_ON_CPU
    assert fewest > 2
    plans = [plan for seed in range(fewest) for plan in plans_of(data, max_epochs=1, random_state=seed)]
    few = dict(train_nets(plans[1:]))
    assert {outcome.not_stacked_because for outcome in few.values()} == {
        f"a stack of fewer than {fewest} nets is no faster"
    }
    assert {outcome.not_stacked_because for outcome in dict(train_nets(plans)).values()} == {None}


def test_a_net_that_diverges_does_not_hurt_the_others(data):
    plans = [*plans_of(data), *plans_of(data, lr=1e30), *plans_of(data, random_state=3)]
    outcomes = dict(train_nets(plans))
    assert "nan or infinite in the first epoch" in str(outcomes[1].error)
    with pytest.raises(ValueError, match="nan or infinite"):
        outcomes[1].trained()
    for place in (0, 2):
        same_net(outcomes[place].trained(), train_alone(make_ready(plans[place])), 1e-10)


def test_a_net_that_cannot_be_built_does_not_hurt_the_others(data):
    plans = [*plans_of(data), *plans_of(data, trunk=MLP((0,))), *plans_of(data, random_state=1)]
    outcomes = dict(train_nets(plans))
    assert isinstance(outcomes[1].error, ValueError)
    assert outcomes[0].not_stacked_because is None
    assert outcomes[2].not_stacked_because is None


def test_stacks_of_at_most_so_many(data, sizes):
    plans = [plan for seed in range(7) for plan in plans_of(data, max_epochs=2, random_state=seed)]
    stacked_as_alone(plans, max_members=3)
    assert sorted(sizes) == [2, 2, 3]


def test_halves_where_memory_is_short(data, monkeypatch, sizes):
    plans = [plan for seed in range(5) for plan in plans_of(data, max_epochs=2, random_state=seed)]
    original = StackedTrainer.run
    stacks = []

    def short(self, *args):
        # What ran short is gone before a smaller one is tried.
        assert [stack() for stack in stacks] == [None] * len(stacks)
        if len(self.members) > 2:
            stacks.append(ref(next(iter(self.weights.trained.values()))))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        original(self, *args)

    monkeypatch.setattr(StackedTrainer, "run", short)
    with pytest.warns(UserWarning, match=r"Memory was short for \d networks in one stack") as warned:
        outcomes = dict(train_nets(plans))
    assert [str(one.message).split()[4] for one in warned] == ["5", "3"]
    assert sizes == [5, 2, 3, 2]
    assert sum(outcome.not_stacked_because is None for outcome in outcomes.values()) == 4
    for place, plan in enumerate(plans):
        same_net(outcomes[place].trained(), train_alone(make_ready(plan)), 1e-10)


@pytest.mark.parametrize(
    ("owner", "name"), [(MultiTaskNet, "training_outputs"), (StackedTrainer, "put_gradients")]
)
def test_halves_where_memory_is_short_for_a_trial(data, monkeypatch, sizes, owner, name):
    plans = [plan for seed in range(4) for plan in plans_of(data, max_epochs=2, random_state=seed)]
    original = getattr(owner, name)

    def short(self, *args):
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, *args)

    monkeypatch.setattr(owner, name, short)
    with pytest.warns(UserWarning, match="Memory was short for 4 networks in one stack"):
        outcomes = dict(train_nets(plans))
    assert sizes == [4, 2, 2]
    assert {outcome.not_stacked_because for outcome in outcomes.values()} == {None}


@pytest.mark.parametrize("of", [torch.OutOfMemoryError, MemoryError])
def test_a_net_that_does_not_fit_into_memory_says_what_takes_less(data, monkeypatch, of):
    def short(self, *args):
        raise of("out of memory: 3 GiB.\nand more")

    monkeypatch.setattr(MultiTaskNet, "training_outputs", short)
    (plan,) = plans_of(data, batch_size=48)
    ((_, outcome),) = train_nets([plan])
    said = (
        "`batch_size` must be so small that the network and a step of it fit into the memory of the device "
        "'cpu'. Found 48, and: out of memory: 3 GiB. A smaller batch or a smaller trunk takes less."
    )
    with pytest.raises(of, match=f"^{re.escape(said)}$"):
        outcome.trained()
    # A traceback would keep what was on the device.
    assert outcome.error.__context__ is None
    assert outcome.error.__cause__ is None


def test_other_errors_are_raised(data, monkeypatch):
    def broken(self, *args):
        raise RuntimeError("a bug")

    monkeypatch.setattr(StackedTrainer, "run", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        list(train_nets([plan for seed in (0, 1) for plan in plans_of(data, random_state=seed)]))


def test_progress_is_told(data):
    told = []
    plans = [plan for epochs in (1, 3) for plan in plans_of(data, max_epochs=epochs)]
    list(train_nets(plans, watch=lambda *state: told.append(state)))
    assert told == [(0, 2, 2, 1), (1, 2, 1, 2), (1, 2, 1, 3)]
    told.clear()
    list(train_nets(plans[:1], watch=lambda *state: told.append(state)))
    assert told == [(1, 1, 0, 0)]


def test_generators_and_threads_are_left_alone(data):
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    list(train_nets([plan for seed in (0, 1) for plan in plans_of(data, random_state=seed, max_epochs=1)]))
    assert torch.equal(before, torch.get_rng_state())
    assert threads == torch.get_num_threads()


@pytest.mark.parametrize("early_stopping", [True, False])
def test_nets_in_no_stack_can_be_trained_elsewhere(data, early_stopping):
    plans = [
        *plans_of(data, optimizer="sgd", early_stopping=early_stopping),
        *plans_of(data, trunk=TabM((8,), members=2), early_stopping=early_stopping),
        *plans_of(data, random_state=1, early_stopping=early_stopping),
        *plans_of(data, random_state=2, early_stopping=early_stopping),
    ]
    sent = []

    def run_jobs(jobs):
        sent.extend(pickle.dumps(job) for job in jobs)
        return [pickle.loads(pickle.dumps(pickle.loads(job)())) for job in sent]

    elsewhere, here = dict(train_nets(plans, run_jobs=run_jobs)), dict(train_nets(plans))
    assert len(sent) == 2
    assert elsewhere.keys() == here.keys() == set(range(4))
    for place, outcome in here.items():
        assert elsewhere[place].not_stacked_because == outcome.not_stacked_because
        same_net(elsewhere[place].net, outcome.net, 0)
    assert [here[place].not_stacked_because is None for place in range(4)] == [False, False, True, True]
