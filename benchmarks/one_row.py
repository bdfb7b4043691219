"""What a prediction takes within the model server's process, step by step, beside the scikit-learn pipeline on a DataFrame.

    .venv/bin/python -m benchmarks.one_row

Microseconds of processor time, the best of many rounds: what else the machine does counts little.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ROUNDS = 40
SECONDS = 0.05  # a round, about


def microseconds(run: Callable[[], object]) -> float:
    """The best round's mean."""
    run()
    started = time.perf_counter()
    run()
    count = max(1, int(SECONDS / max(1e-6, time.perf_counter() - started)))
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.thread_time()
        for _ in range(count):
            run()
        best = min(best, (time.thread_time() - started) / count)
    return best * 1e6


def main() -> None:
    """Train a model and print the table."""
    # After the threads are limited, which numpy reads when it is imported.
    from benchmarks.serving.table import make_rows, train  # noqa: PLC0415
    from training.serving.graph import GraphModel  # noqa: PLC0415
    from training.serving.media import CSV, JSON  # noqa: PLC0415
    from training.serving.model import load  # noqa: PLC0415
    from training.serving.pipeline import PipelineModel  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as temporary:
        folder, digest = train(Path(temporary))
        model, pipeline = load(folder, digest), PipelineModel(folder, {})
        assert isinstance(model, GraphModel)
        print("| rows | JSON | encoder | graph | answer | all of it | CSV | scikit-learn |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for count in (1, 100):
            rows = make_rows(count, 5)
            body = json.dumps(rows[0] if count == 1 else {"instances": rows}).encode()
            lines = "\n".join(",".join(str(row[name]) for name in model.signature.features) for row in rows).encode()
            columns = model._read.columns(JSON, body)
            matrix = model._encoder.encode(columns)
            said = model._run(matrix)
            steps: list[Callable[[], object]] = [
                lambda body=body: model._read.columns(JSON, body),
                lambda columns=columns: model._encoder.encode(columns),
                lambda matrix=matrix: model._run(matrix),
                lambda said=said: model._answers.write(JSON, said),
                lambda body=body: model.answer(JSON, JSON, body),
                lambda lines=lines: model.answer(CSV, CSV, lines),
                lambda body=body: pipeline.answer(JSON, JSON, body),
            ]
            print(f"| {count} | " + " | ".join(f"{microseconds(step):,.1f}" for step in steps) + " |")


if __name__ == "__main__":
    os.environ.update(dict.fromkeys(THREADS, "1"))
    main()
