"""The progress of a stacked search."""

from sklearn_mtl.model_selection.search.progress import search_progress

GRID = {"n_candidates": 2, "n_folds": 3, "most_epochs": 5}


def test_lines_show_networks_and_epoch(capsys):
    with search_progress(1, **GRID) as show:
        show(0, 6, 6, 1)
        show(2, 6, 4, 5)
    shown = capsys.readouterr().err
    assert "2 candidates × 3 folds" in shown
    assert "0 of 6 networks done, 6 in training, epoch 1" in shown
    assert "6 networks trained" in shown


def test_one_is_not_said_in_the_plural(capsys):
    with search_progress(1, n_candidates=1, n_folds=1, most_epochs=5) as show:
        show(0, 1, 1, 1)
    assert "1 candidate × 1 fold" in capsys.readouterr().err


def test_without_verbose_nothing_is_shown(capsys):
    with search_progress(0, **GRID) as show:
        assert show is None
    assert capsys.readouterr().err == ""
