"""The process that reads Parquet files and Arrow streams for the model server: see tables.py, which starts it and speaks with it."""

import io
import json
import os
import sys
from collections.abc import Iterator
from typing import IO, Any

from contracts.tables import apart, columnar
from contracts.tables.formats import FormatError
from training.serving.media import ARROW

MOST_CHARACTERS = 64 * 1024 * 1024


def main(requests: IO[bytes], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    while line := requests.readline():
        asked = json.loads(line)
        body = requests.read(asked["size"])
        try:
            for rows in _batches(asked["kind"], body, asked["cells"]):
                _say(answers, rows)
            _say(answers, {})
        except FormatError as error:
            _say(answers, {"problem": f"column {error.column!r}: {error}" if error.column else str(error)})


def _batches(kind: str, body: bytes, most_cells: int) -> Iterator[list[list[str]]]:
    """The names as the only row of the first, then rows. Raises FormatError."""
    batches = columnar.batches(_as_parquet(body, most_cells) if kind == ARROW else _source(body), MOST_CHARACTERS)
    yield next(batches)
    cells = 0
    for rows in batches:
        cells += sum(map(len, rows))
        _check(cells, most_cells)
        yield rows


def _say(answers: IO[str], what: Any) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def _source(body: bytes) -> Any:
    pa, _ = columnar.load()
    return pa.BufferReader(body)


def _as_parquet(stream: bytes, most_cells: int) -> Any:
    """An Arrow stream as a Parquet file, so that both are read alike. Raises FormatError."""
    pa, parquet = columnar.load()
    file = io.BytesIO()
    cells = 0
    try:
        with pa.ipc.open_stream(stream) as reader, parquet.ParquetWriter(file, reader.schema, compression="none") as writer:
            for batch in reader:
                # The stream's own checks hold for its frame alone: offsets and lengths within a column may still point anywhere.
                batch.validate(full=True)
                cells += len(batch) * max(1, batch.num_columns)
                _check(cells, most_cells)
                writer.write_batch(batch)
    except FormatError:
        raise
    except MemoryError:
        raise FormatError("reading the stream takes more memory than there is. Next: divide it into smaller requests") from None
    except (pa.ArrowException, OSError, ValueError, TypeError, NotImplementedError) as error:
        raise FormatError(f"the stream is not valid Arrow: {(str(error).splitlines() or [type(error).__name__])[0][:200]}") from None
    return _source(file.getvalue())


def _check(cells: int, most_cells: int) -> None:
    if cells > most_cells:
        raise FormatError(f"the table has more than {most_cells} cells. Next: divide it into smaller requests")


if __name__ == "__main__":
    columnar.load()
    if sys.platform == "linux":
        apart.limit_memory(int(sys.argv[1]))
    # What a library prints must not come between the lines.
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    main(sys.stdin.buffer, lines)
