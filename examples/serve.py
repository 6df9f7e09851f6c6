"""
A service: one row as JSON in, all tasks out
============================================

An estimator is asked by HTTP: a request is one row of JSON, or a list of rows, and the answer has the
prediction and the probabilities of every task. FastAPI checks what comes, and uvicorn serves it.

``python examples/serve.py`` fits a model of patients and measures how long an answer takes. To serve, give a
port, ``python examples/serve.py --port 8000``, and ask it from elsewhere:

.. code-block:: shell

    curl localhost:8000/predict -H "content-type: application/json" -d '{"age": 59, "sex": "woman"}'
"""

# %%
# The model
# ---------
# Patients of scikit-learn's diabetes data: how far the disease has progressed after a year, and whether that
# is far. A value that a request leaves out is a missing one.

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

from sklearn_mtl import MultiTaskClassifierRegressor

QUICK = "--quick" in sys.argv
COLUMNS = ["age", "sex", "bmi", "bp"]


def fitted_model() -> MultiTaskClassifierRegressor:
    """Return an estimator of two tasks; in a service it is loaded, with `sklearn_mtl.export.load`."""
    X, progress = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    X = X[COLUMNS].assign(sex=np.where(X["sex"] == 1, "woman", "man"))
    Y = {"progress": progress.to_numpy(), "far": np.where(progress > 150, "yes", "no")}
    quick = {"max_epochs": 2, "n_bags": 1} if QUICK else {}
    return MultiTaskClassifierRegressor(random_state=0, **quick).fit(X, Y)


# %%
# The service
# -----------
# Rows are gathered into one table with the columns of ``fit``; a column that no row has is missing in all. A
# column that was not there in ``fit`` is an error of the client's, as is a value that can't be read, such as
# an integer that is beyond all floating-point numbers.

from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse


def service(model: Any) -> FastAPI:
    """Return the application that answers with a model, fitted on a DataFrame."""
    app = FastAPI(title="sklearn_mtl")
    columns = list(model.feature_names_in_)

    # FastAPI would repeat what came, and fail to write the NaN that JSON has no word for.
    @app.exception_handler(RequestValidationError)
    def refuse(_request: Any, _error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": "The body must be a row, or a list of rows, of JSON."}, 422)

    @app.post("/predict")
    def predict(rows: dict[str, Any] | list[dict[str, Any]]) -> Any:
        given = [rows] if isinstance(rows, dict) else rows
        if not given:
            raise HTTPException(422, "The list of rows must have at least one. Found none.")
        unknown = sorted({name for row in given for name in row} - set(columns))
        if unknown:
            raise HTTPException(422, f"Rows must have some of the columns {columns}. Found {unknown}.")
        table = pd.DataFrame(given, columns=columns)
        try:
            predicted, proba = model.predict(table), model.predict_proba(table)
        except (TypeError, ValueError, OverflowError) as error:
            raise HTTPException(422, str(error)) from error
        of_tasks = {name: answers(name, predicted, proba, model.classes_) for name in predicted}
        found = [dict(zip(of_tasks, row, strict=True)) for row in zip(*of_tasks.values(), strict=True)]
        return found[0] if isinstance(rows, dict) else found

    return app


def answers(name: str, predicted: Any, proba: Any, classes: Any) -> list[dict[str, Any]]:
    """Return what is predicted of one task, for each row, as what JSON has."""
    found = [{"prediction": value} for value in np.asarray(predicted[name]).tolist()]
    if name in proba:
        names = list(map(str, classes[name]))
        for row, own in zip(found, proba[name].tolist(), strict=True):
            row["probabilities"] = dict(zip(names, own, strict=True))
    return found


# %%
# Served on this machine
# ----------------------
# One thread computes: torch's threads would get in the way of each other's requests.

import httpx
import torch
import uvicorn


class Served:
    """A service on a free port of this machine, for as long as the block lasts."""

    def __init__(self, app: FastAPI) -> None:
        self.server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> str:
        """Start it, and return its address."""
        self.thread.start()
        until = time.monotonic() + 30
        while not self.server.started:
            if time.monotonic() > until or not self.thread.is_alive():
                raise RuntimeError("The service did not start.")
            time.sleep(0.01)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.server.should_exit = True
        self.thread.join(30)


# %%
# How long an answer takes
# ------------------------
# The whole way: JSON, HTTP, the table, preprocessing, the networks, and back. Half of the requests take no
# longer than p50, and 99 of 100 no longer than p99.


def latencies(ask: Any, n_requests: int) -> tuple[float, float]:
    """Return p50 and p99 of the time of a request, in milliseconds."""
    taken = []
    for _ in range(n_requests):
        started = time.perf_counter()
        ask().raise_for_status()
        taken.append(1000 * (time.perf_counter() - started))
    return float(np.quantile(taken, 0.5)), float(np.quantile(taken, 0.99))


def main() -> None:
    """Fit, serve, ask, and print what an answer is and how long it takes."""
    torch.set_num_threads(1)
    app = service(fitted_model())
    if "--port" in sys.argv:
        uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[sys.argv.index("--port") + 1]))
        return
    row = {"age": 59, "sex": "woman", "bmi": 32.1, "bp": 101.0}
    with Served(app) as address, httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        print(client.post("/predict", json=row).json())
        for rows, name, n_requests in ((row, "one row", 300), ([row] * 1000, "a thousand rows", 100)):
            client.post("/predict", json=rows).raise_for_status()
            n = 5 if QUICK else n_requests
            p50, p99 = latencies(lambda rows=rows: client.post("/predict", json=rows), n)
            print(f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, of {n} requests")


if __name__ == "__main__":
    main()
