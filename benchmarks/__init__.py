"""Speed and memory beside named peers, as ratios measured in one process run.

``python -m benchmarks`` runs every suite, ``python -m benchmarks one_fit predict`` some of them. A suite
is a module with one function, ``measure``, from `Options` to `Result`. How to read what comes out is in
docs/benchmarks.md.
"""
