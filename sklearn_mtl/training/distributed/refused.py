"""Which fits several processes can't make together."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_mtl.balancing import LossBalancer
from sklearn_mtl.data import Table
from sklearn_mtl.training.callbacks import names_of_writers
from sklearn_mtl.training.distributed.processes import Processes
from sklearn_mtl.training.distributed.sharded import is_sharded, whole_parameters

# Their statistics are of the rows of a batch that a process has.
OF_A_BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
# So many rows tell whether all are the same.
ROWS_COMPARED = 128


def check_data_parallel(net: Any) -> None:
    """Raise a ``ValueError`` for a net whose steps can't be shared by several processes.

    Parameters
    ----------
    net : MultiTaskNet
        The net, about to be trained.
    """
    balancer = net.criterion_.balancer
    name = type(balancer).__name__
    if not isinstance(balancer, LossBalancer) or type(balancer).backward is not LossBalancer.backward:
        raise ValueError(
            "`balancing` of a fit that several processes share must balance by losses. Found "
            f"{name}, which compares gradients, and each process has those of a part of the rows."
        )
    if balancer.has_after_step:
        raise ValueError(
            "`balancing` of a fit that several processes share must not look at losses after a step. Found "
            f"{name}, which does, and each process has those of a part of the rows."
        )
    if net.conflict_ is not None:
        raise ValueError(
            "`gradient_conflict` of a fit that several processes share must be None: each process has the "
            f"gradients of a part of the rows. Found {net.conflict_.every}."
        )
    writers = names_of_writers([callback for _, callback in net.callbacks_])
    if writers:
        raise ValueError(
            "`callbacks` of a fit that several processes share must not write to one place, as all would. "
            f"Found {writers}."
        )
    if is_sharded(net.network):
        _check_sharded(net)
    found = sorted({type(part).__name__ for part in net.network.modules() if isinstance(part, OF_A_BATCH)})
    if found:
        raise ValueError(
            "`trunk` of a fit that several processes share must not normalise by the rows of a batch, of "
            f"which each process has a part. Found {found}; normalization='layer' and torch's SyncBatchNorm "
            "do not."
        )


def _check_sharded(net: Any) -> None:
    if net.ema_decay is not None or net.gradient_clip is not None:
        raise ValueError(
            "`ema_decay` and `gradient_clip` must be None where the weights of the trunk are divided over "
            f"processes. Found {net.ema_decay} and {net.gradient_clip}."
        )
    if not isinstance(net.optimizer_, torch.optim.Adam | torch.optim.AdamW):
        raise ValueError(
            "`optimizer` must be 'adam' or 'adamw' where weights of the trunk are divided over processes. "
            f"Found {type(net.optimizer_).__name__}."
        )


def check_same(net: Any, train: Table, processes: Processes) -> None:
    """Raise a ``ValueError`` if not all processes begin with the same weights, rows and settings.

    Parameters
    ----------
    net : MultiTaskNet
        The net, about to be trained.
    train : Table
        Its training rows.
    processes : Processes
        Who trains it.
    """
    digest = sha256()
    sample = train.sample(ROWS_COMPARED).values()
    for tensor in (*whole_parameters(net.network), train.y, train.weight, *sample):
        digest.update(_bytes(tensor))
    settings = (net.lr, net.batch_size, net.max_epochs, net.ema_decay, net.gradient_clip, len(net.history))
    digest.update(repr(settings).encode())
    every = processes.every(int.from_bytes(digest.digest()[:7], "big"), torch.device(net.device))
    others = [rank for rank, found in enumerate(every) if found != every[0]]
    if others:
        raise ValueError(
            "`X`, `y` and all parameters of a fit that several processes share must be the same in each, and "
            f"`random_state` an integer. Found others in the processes {others[:10]} than in process 0."
        )


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
