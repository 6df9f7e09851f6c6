"""How tasks share trunks.

A way of sharing is a recipe, a `BaseEstimator`. Its ``build`` is given a function that makes trunks, the
tasks and the blocks of the input. It makes one trunk or several, and returns a `SharingModule`: from inputs
to a representation for all tasks, (rows, members, width), or one for each, (rows, members, tasks, width).

A way of sharing of your own is a subclass of `Sharing` with one method, ``build``, and of `SharingModule`
with two, ``forward`` and ``shared_parameters``. Hooks are ``penalty``, ``joined`` and ``last_shared_layer``
of the module, and ``fit_statistics``, ``with_statistics``, ``trained_as`` and ``without`` of the recipe.

Examples
--------
>>> import torch
>>> from sklearn_mtl.features import Block, FeatureSpec
>>> from sklearn_mtl.sharing import HardSharing
>>> from sklearn_mtl.trunks import MLP
>>> spec, x = FeatureSpec((Block("x", (4,), n_continuous=4),)), {"x": torch.zeros(10, 4)}
>>> shared = HardSharing().build(lambda: MLP(hidden_sizes=(8,)).build(spec, {}), [], spec)
>>> shared(x, heads=None).shape
torch.Size([10, 1, 8])
"""

from sklearn_mtl.recipes import Recipes
from sklearn_mtl.sharing.cascade import Cascade
from sklearn_mtl.sharing.cross_stitch import CrossStitch
from sklearn_mtl.sharing.dselect_k import DSelectK
from sklearn_mtl.sharing.hard import HardSharing
from sklearn_mtl.sharing.hierarchical import Hierarchical
from sklearn_mtl.sharing.mmoe import MMoE
from sklearn_mtl.sharing.ple import PLE
from sklearn_mtl.sharing.separate import SeparateTrunks
from sklearn_mtl.sharing.sharing import Sharing, SharingModule
from sklearn_mtl.sharing.soft import SoftSharing
from sklearn_mtl.sharing.task_adapters import TaskAdapters
from sklearn_mtl.sharing.task_attention import TaskAttention

SHARINGS: Recipes[Sharing] = Recipes(
    Sharing,
    {
        "cascade": Cascade,
        "cross_stitch": CrossStitch,
        "dselect_k": DSelectK,
        "hard": HardSharing,
        "hierarchical": Hierarchical,
        "mmoe": MMoE,
        "ple": PLE,
        "separate": SeparateTrunks,
        "soft": SoftSharing,
        "task_adapters": TaskAdapters,
        "task_attention": TaskAttention,
    },
    "`sharing` must be None, one of {names} or a Sharing such as HardSharing()",
    default=HardSharing,
)

__all__ = [
    "PLE",
    "SHARINGS",
    "Cascade",
    "CrossStitch",
    "DSelectK",
    "HardSharing",
    "Hierarchical",
    "MMoE",
    "SeparateTrunks",
    "Sharing",
    "SharingModule",
    "SoftSharing",
    "TaskAdapters",
    "TaskAttention",
]
