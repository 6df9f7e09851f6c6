"""Fitted transformers, which skops writes and reads, and what it is allowed to load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zipfile import ZIP_DEFLATED

from sklearn_mtl.export.classes import extra
from sklearn_mtl.export.contents import check_contents
from sklearn_mtl.export.skops_zip import canonical, check_bounds
from sklearn_mtl.features import default_preprocessing
from sklearn_mtl.messages import shown

# Harmless, although skops asks about them: numpy's dtypes (in SimpleImputer), sparse matrices (in
# SparseRandomProjection), what scikit-learn's own ColumnTransformer and SelectKBest are commonly given, and
# its experimental imputer. A forged tree would end the process, and stays out. The default preprocessing had
# `smooth_clip` before `OutlierClip` was: files of then have it still.
_HARMLESS = {
    "sklearn_mtl.features.table.smooth_clip",
    "numpy.dtype",
    "scipy.sparse._csr.csr_matrix",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.impute._iterative.IterativeImputer",
    "sklearn.impute._iterative._ImputerTriplet",
}


def pack_transformers(transformers: Sequence[Any]) -> bytes:
    """Return fitted transformers as skops writes them.

    Parameters
    ----------
    transformers : sequence of transformer
        Transformers of scikit-learn, or compositions of them.

    Raises
    ------
    TypeError
        If skops can't hold one of them, or would have to trust other code to load it.
    """
    skops = extra("skops.io")
    try:
        # Uncompressed, the JSON that skops writes is twenty times as long.
        check_contents(list(transformers))
        content = canonical(skops.dumps(list(transformers), compression=ZIP_DEFLATED))
        untrusted = _untrusted(content)
    # Objects that skops can't hold raise errors of any kind.
    except Exception as error:
        raise TypeError(
            f"`preprocessing` must be what skops can hold, to be saved. Found {transformers[-1]!r}: {error}"
        ) from error
    if untrusted:
        raise TypeError(
            "`preprocessing` must be made of those transformers of scikit-learn that skops trusts, and of "
            f"numpy's functions, to be saved. Found {shown(untrusted)}; pickle holds all others."
        )
    return content


def unpack_transformers(content: bytes) -> list[Any]:
    """Return the transformers that `pack_transformers` packed.

    Parameters
    ----------
    content : bytes
        The bytes that `pack_transformers` returned.

    Raises
    ------
    ValueError
        If it is no skops file, or asks to trust other code.
    """
    skops = extra("skops.io")
    try:
        check_bounds(content)
        untrusted = _untrusted(content)
        if not untrusted:
            found: list[Any] = skops.loads(content, trusted=sorted(_trusted()))
            check_contents(found)
            return found
    except MemoryError:
        raise
    # So does made-up content.
    except Exception as error:
        raise ValueError(
            f"The preprocessing of the file must be readable by skops. Found: {error}"
        ) from error
    raise ValueError(
        "The preprocessing of the file must be made of scikit-learn's own transformers and numpy's "
        f"functions. Found {shown(untrusted)}, which `save` would not have written."
    )


def _untrusted(content: bytes) -> list[str]:
    asked = extra("skops.io").get_untrusted_types(data=content)
    return sorted(set(asked) - _trusted()) if asked else []


def _trusted() -> set[str]:
    """Return the harmless types, and by name the few functions that ``preprocessing="auto"`` is made of."""
    skops = extra("skops.io")
    own = skops.get_untrusted_types(data=skops.dumps(default_preprocessing()))
    return _HARMLESS.union(own)
