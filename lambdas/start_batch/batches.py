"""The tables of a project that wait for predictions, each taken one step further at every look."""

import csv
import errno
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from contracts.batch import names, schedule
from contracts.batch.answers import ID, ROW, Answer, cells, columns, read_answers, read_rows
from contracts.batch.parts import Part, divide, pack, to_divide
from contracts.batch.rows import Good, Hasher, Rejected, find_columns
from contracts.batch.schedule import Plan, Summary
from contracts.environment import StartBatchEnvironment
from contracts.errors import DataError, StateError
from contracts.layout import LARGEST_UPLOAD_BYTES
from contracts.ledger import Decision, Evidence, What
from contracts.privacy import hashed
from contracts.tables.formats import Format, FormatError, format_of
from contracts.tables.reading import Row, file_rows
from lambdas import runtime
from lambdas.ledger import Ledger
from lambdas.live import LiveEndpoint
from lambdas.start_batch.adapters import SageMaker, Store, Table
from lambdas.start_batch.logic import Next, next_step, outcome

SERVICE = "start_batch"


class Batches:
    """The tables of the project, and one look at them."""

    def __init__(self, variables: StartBatchEnvironment, now: datetime) -> None:
        self._variables, self._now, self._config = variables, now, runtime.project()
        self._store = Store(runtime.client("s3"), variables.data_bucket, variables.artifacts_bucket)
        self._sagemaker = SageMaker(runtime.client("sagemaker"), self._store)

    def look(self) -> tuple[str | None, list[Summary]]:
        """(the batch that is under way or waits for a model, what was finished): the oldest table comes first, the next one after it.

        It ends too where another look finished the batch meanwhile: that one goes on with the next table.
        """
        prefix, summaries = self._config.prefix, list[Summary]()
        begun = self._store.begun(schedule.scheduled_prefix(prefix))  # before the tables: what begins later is not lost
        tables = {schedule.scheduled_name(prefix, table.key, table.version_id): table for table in self._store.tables()}
        for lost in begun - tables.keys():
            self._clear(lost)
        done = self._store.finished()
        for batch, table in tables.items():
            if batch in done or not (table.is_latest or batch in begun):
                continue
            summary = self._settle(batch, table)
            if summary is None:
                return batch, summaries
            summaries.append(summary)
        return None, summaries

    def _settle(self, batch: str, table: Table) -> Summary | None:
        """Advance a table; finish one with which no look would come further, so that it does not stand in the way of those behind it."""
        try:
            return self._advance(batch, table)
        except (DataError, FormatError, StateError) as error:
            problem = str(error)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            problem = f"{table.key} or its results do not fit on the function's disk. Next: divide it"
        return self._finish(batch, Summary(source=self._uri(table), problem=problem))

    def _advance(self, batch: str, table: Table) -> Summary | None:
        """Do what is next until there is something to wait for, or a result. Raises DataError, FormatError, StateError and OSError.

        Nothing is done on what was read while another look cleared the batch: without a summary after the reading, all of it was there.
        """
        while True:
            plans = self._store.plans(batch)
            job = self._sagemaker.job(names.job_name(batch, len(plans) - 1)) if plans else None
            outputs = self._store.outputs(batch) if job else set[str]()
            if self._is_finished(batch):
                return None
            step = next_step(plans, job[0] if job else None, outputs)
            if step is Next.PREPARE:
                package = self._live()
                if package is None:
                    return None
                self._prepare(batch, table, self._store.first(schedule.package_key(batch), package))
            elif step is Next.START:
                self._start(batch, len(plans) - 1, plans[0].package)
            elif step is Next.DIVIDE:
                self._divide(batch, plans, outputs)
            elif step is Next.COLLECT:
                return self._collect(batch, table, plans, outputs, job[1] if job else "")
            else:
                return None

    def _live(self) -> str | None:
        endpoint = LiveEndpoint(runtime.client("sagemaker"), self._variables.endpoint_name).read()
        return endpoint.package_arn if endpoint else None

    def _prepare(self, batch: str, table: Table, package: str) -> None:
        """Send the good rows of a table. Raises DataError, FormatError, StateError and OSError when that cannot be done."""
        if table.size > LARGEST_UPLOAD_BYTES:
            raise DataError([f"{table.key} has {table.size} bytes, and at most {LARGEST_UPLOAD_BYTES} can be read. Next: divide it"])
        with tempfile.TemporaryDirectory() as folder:
            path, rejected = Path(folder) / table.key.rpartition("/")[2], Path(folder) / "rejected.csv.part"
            self._store.download(table, path)
            with _file(rejected) as file:
                parts = self._store.send(batch, 0, pack(file.good(self._examined(path, table.key, package))))
            self._store.upload(self._store.artifacts, schedule.rejected_key(batch), rejected)
        if not parts and not file.rows:
            raise DataError([f"{table.key} has no row"])
        self._store.write_plan(batch, 0, Plan(package=package, rejected=file.rows, parts=parts))

    def _examined(self, path: Path, key: str, package: str) -> Iterator[Good | Rejected]:
        data, signature = self._config.data, self._sagemaker.signature(package)
        rows: Iterator[Row] = file_rows(format_of(path.name) or Format.CSV, path, LARGEST_UPLOAD_BYTES)
        _, header = next(rows, (0, list[str]()))
        if not header:
            raise DataError([f"{key} is empty"])
        private = frozenset(data.privacy.hash)
        found, _ = find_columns(key, header, signature.features, data.id, hashed=private, hasher=self._hasher(private), quoted=False)
        return found.examine(rows)

    def _hasher(self, private: frozenset[str]) -> Hasher:
        if not private:
            return lambda _column, text: text
        secret: str = runtime.client("secretsmanager").get_secret_value(SecretId=self._variables.hash_key_secret)["SecretString"]
        return lambda column, text: hashed(secret.encode(), column, text)

    def _start(self, batch: str, number: int, package: str) -> None:
        variables = self._variables
        model = names.model_request(batch, package, variables.batch_role_arn, variables.subnets, variables.security_group)
        job = names.job_request(
            batch, number, bucket=variables.artifacts_bucket, key_arn=variables.key_arn, instance_type=self._config.batch.instance_type
        )
        self._sagemaker.start(model, job)

    def _divide(self, batch: str, plans: tuple[Plan, ...], outputs: set[str]) -> None:
        pieces, number = list[Part](), len(plans) - 1
        for part in to_divide(number, plans[-1].parts, outputs):
            rows = [row for row, _ in read_rows(self._lines(batch, part, number))]
            pieces += self._store.send(batch, number + 1, divide(part, rows))
        self._store.write_plan(batch, number + 1, plans[0].model_copy(update={"parts": tuple(pieces)}))

    def _lines(self, batch: str, part: Part, number: int) -> Iterator[bytes]:
        return self._store.lines(names.input_folder(batch, number) + part.file)

    def _collect(self, batch: str, table: Table, plans: tuple[Plan, ...], outputs: set[str], reason: str) -> Summary | None:
        """Put predictions and what has none beside each other, and finish."""
        package, rejected = plans[0].package, plans[0].rejected
        signature = self._sagemaker.signature(package)
        jobs = tuple(names.job_name(batch, number) for number, plan in enumerate(plans) if plan.parts)
        why = f"the model gave no prediction in {len(jobs)} transform jobs: {reason}"
        with tempfile.TemporaryDirectory() as folder:
            predictions, missing = Path(folder) / schedule.PREDICTIONS, Path(folder) / schedule.MISSING
            with _file(predictions, (ROW, ID, *columns(signature))) as answers, _file(missing, (ROW, ID, "state", "why")) as rest:
                if rejected:
                    rest.copy(self._store.chunks(schedule.rejected_key(batch)))
                for found in self._outcome(batch, plans, outputs):
                    if isinstance(found, Answer):
                        answers.row((found.row, found.id, *cells(signature, found.said)))
                    else:
                        rest.row((*found, "failed", why))
            counts = {"rows": answers.rows + rest.rows + rejected, "predicted": answers.rows, "rejected": rejected, "failed": rest.rows}
            return self._finish(batch, Summary(source=self._uri(table), package=package, jobs=jobs, **counts), predictions, missing)

    def _outcome(self, batch: str, plans: tuple[Plan, ...], outputs: set[str]) -> Iterator[Answer | tuple[int, str]]:
        return outcome(
            plans,
            outputs,
            lambda part: read_answers(part, self._store.lines(names.output_folder(batch) + part.output)),
            lambda part, number: ((row.row, name) for row, name in read_rows(self._lines(batch, part, number))),
        )

    def _finish(self, batch: str, summary: Summary, *results: Path) -> Summary | None:
        """The summary comes last: an invocation that dies before does it again. What is not cleared then expires.

        None when another one finished the batch. Several that are here at once read the same, so they put the same results and decision.
        """
        ended = datetime.fromisoformat(self._store.first(schedule.ended_key(batch), self._now.isoformat()))
        if self._is_finished(batch):
            return None
        for path in results:
            self._store.upload(self._store.data, schedule.result_key(batch, path.name), path)
        evidence = Evidence(uri=f"s3://{self._store.data}/{schedule.result_key(batch, schedule.SUMMARY)}")
        what = What.BATCH_PREDICTED if summary.ok else What.BATCH_INCOMPLETE
        decision = Decision(time=ended, what=what, subject=summary.source, why=summary.words, by=SERVICE, evidence=(evidence,))
        Ledger(runtime.client("dynamodb"), self._variables.ledger_table).record(decision)
        self._sagemaker.forget(batch)
        if not self._store.finish(batch, summary.model_dump_json(indent=2).encode()):
            return None
        self._store.clear(batch)
        return summary

    def _is_finished(self, batch: str) -> bool:
        """Whether the summary is there; what this look made after another one had cleared the batch is cleared then."""
        if batch not in self._store.finished():
            return False
        self._clear(batch)
        return True

    def _clear(self, batch: str) -> None:
        self._sagemaker.forget(batch)
        self._store.clear(batch)

    def _uri(self, table: Table) -> str:
        """What people call a table; of one that was replaced it names the version, for the new one has decisions of its own."""
        version = "" if table.is_latest else f"?versionId={table.version_id}"
        return f"s3://{self._store.data}/{table.key}{version}"


class _File:
    """A CSV file that is being written. `rows`: those that came as cells."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._writer = file, csv.writer(file, lineterminator="\n")
        self.rows = 0

    def row(self, cells_: Sequence[Any]) -> None:
        """One more row."""
        self._writer.writerow(cells_)
        self.rows += 1

    def copy(self, chunks: Iterable[bytes]) -> None:
        """Rows of another file, as they are."""
        self._file.flush()
        for chunk in chunks:
            self._file.buffer.write(chunk)

    def good(self, rows: Iterator[Good | Rejected]) -> Iterator[Good]:
        """Let good rows pass, and write the others down."""
        for row in rows:
            if isinstance(row, Good):
                yield row
            else:
                self.row((row.row, row.id, "rejected", row.why))


@contextmanager
def _file(path: Path, header: Sequence[str] = ()) -> Iterator[_File]:
    with path.open("w", encoding="utf-8", newline="") as file:
        if header:
            csv.writer(file, lineterminator="\n").writerow(header)
        yield _File(file)
