"""The skorch net: the beginning and the end of a training, an epoch, a step."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from copy import deepcopy
from typing import Any, TypeVar

import torch
from skorch.callbacks import Callback, EpochTimer, PrintLog
from torch import Tensor, nn

from sklearn_mtl.data import Batch, Table, WholeBatches
from sklearn_mtl.network import giving_way
from sklearn_mtl.network.torch_private import graphs_kept, uncompiled
from sklearn_mtl.training.callback_events import PER_STEP, is_of_the_user, is_told_of_steps
from sklearn_mtl.training.callbacks import StopTraining, has_stopped_early
from sklearn_mtl.training.capture import StepsOfNet, replaying
from sklearn_mtl.training.kept_weights import Resume, TrainingRun, snapshot
from sklearn_mtl.training.losses_again import losses_again
from sklearn_mtl.training.net_in_training import WeightKeeper
from sklearn_mtl.training.parameter_groups import groups_of_their_own, take_over, unfreeze
from sklearn_mtl.training.recording import RecordedNet
from sklearn_mtl.training.schedules import StepSchedule
from sklearn_mtl.training.steps import (
    FusedAdamW,
    Step,
    WeightAverage,
    clip_gradients,
    losses_and_masses,
    training_step,
    validation_scores,
    validation_step,
)

C = TypeVar("C", bound=Callback)


class MultiTaskNet(RecordedNet):
    """A skorch net of several tasks.

    Its data is a pair of tables, for training and for validation (or None), and stays on the device. The
    losses of a step stay there too: they are read once an epoch.

    Parameters
    ----------
    ema_decay : float or None
        Decay of the moving average of the weights, which validation and prediction use; None for none.
    autocast : torch dtype or None
        The dtype in which products are computed while training; None for that of the weights.
    gradient_clip : float or None
        Largest norm of a step's gradient.

    Attributes
    ----------
    statistics_ : dict of str to tensor
        The fit statistics that its module was built with.
    history : History
        The record of its epochs, with what is known by task.
    run_ : TrainingRun
        The state of the training that goes on; an empty one before and after.
    resume_ : Resume or None
        What it takes to train on, from the end of a training to the beginning of the next.
    """

    def __init__(
        self,
        *args: Any,
        ema_decay: float | None = None,
        autocast: torch.dtype | None = None,
        gradient_clip: float | None = None,
        iterator_train: type = WholeBatches,
        iterator_valid: type = WholeBatches,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, iterator_train=iterator_train, iterator_valid=iterator_valid, **kwargs)
        self.ema_decay = ema_decay
        self.autocast = autocast
        self.gradient_clip = gradient_clip
        self.statistics_: dict[str, Tensor] = {}
        self.run_ = TrainingRun()
        self.resume_: Resume | None = None
        self.replayed: StepsOfNet | None = None
        self.has_step_callbacks = self._has_own_callbacks = True

    def continue_from(self, net: MultiTaskNet) -> MultiTaskNet:
        """Take over another net's history, optimizer state and unaveraged weights, to train on.

        Parameters
        ----------
        net : MultiTaskNet
            A trained net with the same module and optimizer.
        """
        self.history = deepcopy(net.history)
        self.best_, self.statistics_, self.resume_ = dict(net.best_), net.statistics_, net.resume_
        if type(net.optimizer_) is type(self.optimizer_):
            pairs = zip(net.get_all_learnable_params(), self.get_all_learnable_params(), strict=True)
            take_over(self.optimizer_, net.optimizer_, [(old, new) for (_, old), (_, new) in pairs])
        unfreeze(self._groups, len(self.history))
        return self

    def train(self, train: Table, valid: Table | None, epochs: int | None = None) -> None:
        """Train until done or stopped; Ctrl-C is passed on to the caller.

        Parameters
        ----------
        train, valid : Table
            Training rows, and held-out rows or None.
        epochs : int, optional
            Most epochs; ``max_epochs`` by default.
        """
        self.open_training(train, valid)
        try:
            with suppress(StopTraining), graphs_kept(self.compile), replaying(self, epochs):
                self.fit_loop((train, valid), epochs=epochs)
        except KeyboardInterrupt:
            if not has_stopped_early(self.callbacks_):
                raise
        self.close_training(train, valid)

    def open_training(self, train: Table, valid: Table | None) -> None:
        """Begin a training: the net's first, or one that goes on from an earlier one.

        Parameters
        ----------
        train, valid : Table
            Training rows, and held-out rows or None.
        """
        self.run_ = TrainingRun.begin(self, valid)
        self._look_at_shared(self.n_steps)
        self.resume_ = None
        for group in self._groups:
            group.setdefault("initial_lr", group["lr"])  # Schedules that begin later look for it.
        self.has_step_callbacks = any(is_told_of_steps(one) for _, one in self.callbacks_)
        self._has_own_callbacks = any(is_of_the_user(one) for _, one in self.callbacks_)
        self.notify("on_train_begin", X=train, y=None)

    def close_training(self, train: Table, valid: Table | None) -> None:
        """End a training: put the kept, or else the averaged weights in place; note what it takes to resume.

        Parameters
        ----------
        train, valid : Table
            Training rows, and held-out rows or None.
        """
        self.resume_, self.run_ = self.run_.end(self, valid), TrainingRun()
        self.notify("on_train_end", X=train, y=None)

    def finish_interrupted(self, train: Table, valid: Table | None) -> bool:
        """End a training that Ctrl-C has interrupted, as of its last whole epoch; return whether it has any.

        Parameters
        ----------
        train, valid : Table
            Training rows, and held-out rows or None.
        """
        n_over = self.run_.n_over
        if n_over <= self.run_.n_before:
            return False
        self.restore(self.history[:n_over])
        for keeper in self._callbacks_of(WeightKeeper):
            keeper.fall_back(self)
        self.close_training(train, valid)
        # The latest weights are those of the middle of a step: training on begins from what was kept.
        self.resume_ = None
        self.optimizer_.state.clear()
        for tensor in (*(named[1] for named in self.get_all_learnable_params()), *self.criterion_.buffers()):
            # As a part of a stack's tensor it would keep all of that in memory.
            tensor.data = tensor.data.clone()
        return True

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Return the pair of tables as it came."""
        return X

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> tuple[Any, dict[str, Any]]:
        """Return skorch's groups of parameters, and after them those of the trunk and of the balancer."""
        _, options = super().get_params_for_optimizer(prefix, [])
        settings = {"lr": self.lr, **options}
        own = groups_of_their_own(self.network, self.criterion_.balancer, self.optimizer, settings)
        taken = {id(parameter) for group in own for parameter in group["params"]}
        others = [named for named in named_parameters if id(named[1]) not in taken]
        (groups,), options = super().get_params_for_optimizer(prefix, others)
        return [[*groups, *own]], options

    def _look_at_shared(self, step: int | None = None) -> None:
        """Let what looks at the gradients of shared parameters know those that are trained now."""
        self.run_.shared = self.criterion_.balancer.looks_at(self.network.sharing)
        self.begin_comparing(self.network.sharing.shared_parameters(), step)

    @property
    def n_steps(self) -> int:
        """Steps of the optimizer so far."""
        return sum(epoch["train_batch_count"] for epoch in self.history)

    @property
    def _groups(self) -> list[dict[str, Any]]:
        return list(self.optimizer_.param_groups)

    @property
    def network(self) -> Any:
        """The network, not what ``torch.compile`` wrapped it in: its weights have their own names."""
        return uncompiled(self.module_) if self.compile else self.module_

    @property
    def evaluated(self) -> Any:
        """The module that validation and prediction use."""
        average = self.run_.average
        return self.network if average is None else average.module

    def _callbacks_of(self, kind: type[C]) -> list[C]:
        return [callback for _, callback in self.callbacks_ if isinstance(callback, kind)]

    def get_default_callbacks(self) -> list[tuple[str, Any]]:
        """Return the callbacks that time and print the epochs, if asked for; losses are recorded without."""
        printing = [("epoch_timer", EpochTimer()), ("print_log", PrintLog(keys_ignored=self.known_by_task))]
        return printing[: int(self.verbose)]

    def torch_compile(self, module: nn.Module, name: str) -> nn.Module:
        """Compile the network, not the loss."""
        return super().torch_compile(module, name) if name == "module" else module

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the weights, if they are better than before, before any callback ends the training."""
        # Those of a stack are kept by then, for all of its nets at once.
        for keeper in self._callbacks_of(WeightKeeper) if self.run_.latest is None else ():
            keeper.keep(self)
        self.run_.n_over = len(self.history)

    def run_single_epoch(
        self, iterator: WholeBatches | None, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run over all batches, and record the losses once at the end, not at each step."""
        if iterator is None:
            return
        if training and unfreeze(self._groups, len(self.history) - 1):
            self._look_at_shared()
        self.module_.train(training)
        self.criterion_.train(training)
        steps, sizes = [], []
        schedules = self._callbacks_of(StepSchedule) if training else []
        replayed = self.replayed if training else None
        for batch in iterator if replayed is None else replayed.epoch(iterator):
            for schedule in schedules:
                schedule.before_step(self)
            self.notify("on_batch_begin", batch=batch, training=training)
            step: Any = (replayed or step_fn)(batch, **fit_params)
            if training and replayed is None and self.run_.average is not None:
                self.run_.average.update()
            steps.append(step)
            sizes.append(batch.n_rows)
            if self.has_step_callbacks:
                self.history.record_batch(f"{prefix}_batch_size", sizes[-1])
            self.notify("on_batch_end", batch=batch, training=training, **step)
        losses, masses = losses_and_masses(steps)
        if training:
            self.record_training(losses, masses, sizes)
        else:
            rows = iterator.table
            scores = validation_scores(self.criterion_.losses, steps, rows.y, rows.weight)
            self.record_validation(losses, masses, scores, sizes)
        self.history.record(f"{prefix}_batch_count", len(steps))

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Tell the callbacks of an event; of those within an epoch only where a callback listens."""
        if method_name not in PER_STEP or self.has_step_callbacks:
            # A callback of the user's may wait for a thread that trains a net of its own.
            with giving_way(torch.device(self.device)) if self._has_own_callbacks else nullcontext():
                super().notify(method_name, **cb_kwargs)

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Make one step of the optimizer, and let the balancer look at what came of it."""
        balancer = self.criterion_.balancer
        if not balancer.has_after_step:
            return self._optimizer_step(batch, **fit_params)
        losses = losses_again(self, batch)
        step = self._optimizer_step(batch, **fit_params)
        with torch.no_grad():
            balancer.after_step(losses)
        return step

    def _optimizer_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        if self.has_step_callbacks or not isinstance(self.optimizer_, FusedAdamW):
            # Callbacks of a step, and optimizers that call the step several times, need skorch's own way.
            return dict(super().train_step(batch, **fit_params))
        for group in self._groups:
            for parameter in group["params"]:
                parameter.grad = None
        step = self.train_step_single(batch)
        self.optimizer_.step()
        return step

    def train_step_single(self, batch: Batch, **fit_params: Any) -> Step:
        """Put gradients on all parameters for one batch, and clip them."""
        step = self.put_gradients(batch, *self.training_outputs(batch), self.watcher)
        if self.criterion_.balancer.at_representation:
            self.run_.shared.clear()  # A tensor within a graph would keep callbacks from copying the net.
        if self.gradient_clip is not None:
            found = (parameter.grad for group in self._groups for parameter in group["params"])
            clip_gradients([gradient for gradient in found if gradient is not None], self.gradient_clip)
        return step

    def training_outputs(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the raw outputs and the penalty of one batch, with a graph."""
        with self.autocast_now():
            noted = self.run_.shared if self.criterion_.balancer.at_representation else None
            raw = self.module_(batch.inputs) if noted is None else self.network.noting(noted, batch.inputs)
            penalty = self.network.sharing.penalty(batch.inputs, batch.row_weight)
        return raw.to(batch.y.dtype), penalty

    def put_gradients(self, batch: Batch, raw: Tensor, penalty: Tensor | None, look: Any = None) -> Step:
        """Put gradients on all parameters, given the raw outputs and the penalty of one batch."""
        return training_step(self.criterion_, batch, raw, penalty, self.run_.shared, look)

    @torch.no_grad()
    def validation_step(self, batch: Batch, **fit_params: Any) -> Step:
        """Return the losses and responses of one held-out batch."""
        return validation_step(self.criterion_.losses, self.evaluated.eval()(batch.inputs), batch)

    def loss_on(self, valid: Table) -> float:
        """Return the watched loss of the evaluated module on held-out rows."""
        steps = [self.validation_step(batch) for batch in self.get_iterator(valid, training=False)]
        return float(self.watched(*(sums.sum(0) for sums in losses_and_masses(steps)))[1])

    def save_params(self, *args: Any, **kwargs: Any) -> None:
        """Write the weights that predict, as skorch does: of the moving average, not of the last step."""
        module, average = self.network, self.run_.average
        latest = snapshot(module)
        module.load_state_dict(self.evaluated.state_dict())
        try:
            super().save_params(*args, **kwargs)
        finally:
            if average is not None:
                module.load_state_dict(latest)

    def load_params(self, *args: Any, **kwargs: Any) -> None:
        """Read what `save_params` wrote; the moving average begins anew, the history is that of the file."""
        super().load_params(*args, **kwargs)
        self.resume_ = None
        if self.run_.average is not None:
            self.run_.average = WeightAverage(self.network, self.run_.average.decay)
        self.restore(self.history)
        self.run_.n_before = self.run_.n_over = len(self.history)
        self.run_.start = self.run_.start and self.run_.start.from_now(len(self.history))

    def autocast_now(self) -> AbstractContextManager[Any]:
        """Return the context in which products are computed while training."""
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=self.autocast)
