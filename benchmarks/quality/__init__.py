"""How well the default predicts, beside single-task tools: ``python -m benchmarks.quality``."""
