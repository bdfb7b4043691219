"""Captured traffic, read once, into one summary of the window.

Shards go to as many processes as there are cores; their summaries are merged in the order of the files, so the number of processes
changes nothing, and one by one, so that few are there at a time. Within a shard an event counts once by itself. Its keys are compared with
those of the earlier shards of its folder (an hour's): only a shard that repeats some of their events is read again, without them. The same
event in two folders cannot be: the folder is the hour of its time.

Labels come late, so the answers that they judge may be of an earlier window than the one that is compared. Both are read in one pass.
"""

import gc
import multiprocessing
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import groupby
from pathlib import Path
from typing import Self

import numpy as np

from contracts.baseline import PREDICTION, PROBABILITY, Statistics
from contracts.evaluation import Problem
from contracts.signature import Signature
from training.monitoring.answers import AnswerReader, Answers
from training.monitoring.captures import Record, Shard, Span, decode, find_shards, key_of, read_blocks
from training.monitoring.labels import LabelReader, Labels
from training.monitoring.quality import Quality, quality_of
from training.monitoring.requests import Columns, RequestReader
from training.monitoring.seen import Keys, SeenKeys
from training.monitoring.summary import FirstNames, Numbers, NumberSummary, Summary, TextSummary, summary_of

BATCH = 16  # blocks that are summed up together: a column at a time costs less than a block at a time
SMALL = 32 << 20  # bytes; a window below this is done before other processes have started
AHEAD = 2  # shards a process that are read before their turn


@dataclass
class Tally:
    """What became of what was read; contracts.monitoring.Counts says what each is."""

    records: int = 0
    rows: int = 0
    unreadable_lines: int = 0
    unreadable_requests: int = 0
    unreadable_answers: int = 0
    duplicates: int = 0
    outside_window: int = 0
    predictions: int = 0
    other_models: int = 0
    labels: int = 0
    unreadable_labels: int = 0

    def merge(self, other: Self) -> None:
        """Add another part's."""
        for part in fields(self):
            setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))


@dataclass
class WindowSummary:
    """Everything that verdicts and report are made of; columns in the baseline's order, the model's own answers among them."""

    columns: dict[str, Summary]
    quality: Quality
    tally: Tally = field(default_factory=Tally)
    absent: Counter[str] = field(default_factory=Counter)
    extra: FirstNames = field(default_factory=FirstNames)
    unknown_labels: FirstNames = field(default_factory=FirstNames)

    def merge(self, other: Self) -> None:
        """Add another part's."""
        self.tally.merge(other.tally)
        for name, summary in self.columns.items():
            summary.merge(other.columns[name])  # type: ignore[arg-type]  # both were made of the same baseline
        self.quality.merge(other.quality)  # type: ignore[arg-type]  # both were made for the same problem
        self.absent.update(other.absent)
        self.extra.merge(other.extra)
        self.unknown_labels.merge(other.unknown_labels)


@dataclass(frozen=True)
class Scanner:
    """Reads shards: requests and answers of the time `window`, and what labels say of the answers of the time `judged`.

    `artifact`: the model whose answers count, all when it is empty.
    """

    window: Span
    judged: Span
    baseline: Statistics
    signature: Signature
    labels: Labels
    artifact: str = ""

    def empty(self) -> WindowSummary:
        """Nothing yet."""
        columns = {feature.name: summary_of(feature) for feature in self.baseline.features}
        said = columns.get(PREDICTION)
        center = said.center if isinstance(said, NumberSummary) else 0.0
        return WindowSummary(columns, quality_of(self.signature.problem, len(self.signature.classes), center))

    def scan(self, shard: Shard, seen: frozenset[int] = frozenset()) -> tuple[WindowSummary, Keys]:
        """A shard's summary, without the events in `seen`; and the keys of its events."""
        summary = self.empty()
        requests, answers = RequestReader(self.signature.features), AnswerReader(self.signature, self.artifact)
        truths = LabelReader(self.signature, self.labels.names)
        columns, keys = Columns(), set(seen)
        for number, block in enumerate(read_blocks(shard), start=1):
            records, unreadable = decode(block)
            summary.tally.unreadable_lines += unreadable
            for (current, judged), part in self._by_time(self._select(records, keys, summary.tally)):
                said = answers.read(part)
                if current:
                    summary.tally.records += len(part)
                    requests.read([record.captureData.endpointInput for record in part], columns)
                    self._add_answers(summary.tally, columns, said)
                if judged:
                    self._add_quality(summary, part, said, truths)
            if number % BATCH == 0:
                _add_columns(summary, columns)
                columns = Columns()
        _add_columns(summary, columns)
        own = keys - seen
        return summary, np.sort(np.fromiter(own, dtype=np.uint64, count=len(own)))

    def _select(self, records: list[Record], keys: set[int], tally: Tally) -> list[Record]:
        """Those inside one of the windows that were not seen before."""
        (start, end), (first, last) = self.window, self.judged
        fresh = [
            record
            for record in records
            if start <= record.eventMetadata.inferenceTime < end or first <= record.eventMetadata.inferenceTime < last
        ]
        tally.outside_window += len(records) - len(fresh)
        own = [key_of(record.eventMetadata.eventId) for record in fresh]
        new = set(own)
        if len(new) < len(own) or not new.isdisjoint(keys):
            once_each = dict(zip(reversed(own), reversed(fresh), strict=True))
            once = [record for key, record in reversed(once_each.items()) if key not in keys]
            tally.duplicates += len(fresh) - len(once)
            fresh = once
        keys |= new
        return fresh

    def _by_time(self, records: list[Record]) -> Iterable[tuple[tuple[bool, bool], list[Record]]]:
        """Records with whether they are of the window, and whether of the time that labels judge."""
        if self.window == self.judged:
            return [((True, True), records)]
        parts: defaultdict[tuple[bool, bool], list[Record]] = defaultdict(list)
        for record in records:
            time = record.eventMetadata.inferenceTime
            parts[self.window.holds(time), self.judged.holds(time)].append(record)
        return parts.items()

    def _add_answers(self, tally: Tally, columns: Columns, answers: Answers) -> None:
        tally.predictions += len(answers.values)
        tally.other_models += answers.others
        tally.unreadable_answers += answers.rows.count(None)
        problem = self.signature.problem
        if problem is Problem.REGRESSION:
            columns.add_numbers(PREDICTION, answers.values)
        else:
            columns.add_texts(PREDICTION, answers.names)
        if problem is Problem.BINARY:
            columns.add_numbers(PROBABILITY, answers.chances[:, 1])

    def _add_quality(self, summary: WindowSummary, records: list[Record], answers: Answers, truths: LabelReader) -> None:
        truth = self._truth(records, answers, summary.tally, truths)
        known = ~np.isnan(truth)
        if not known.any():
            return
        told = truth[known]
        summary.tally.labels += len(told)
        summary.quality.add(told, answers.values[known], answers.chances[known])
        if self.signature.problem is not Problem.REGRESSION:
            strange = told[told >= len(self.signature.classes)]
            names = truths.names if len(strange) else ()
            summary.unknown_labels.add(Counter(names[int(number)] for number in strange))

    def _truth(self, records: list[Record], answers: Answers, tally: Tally, truths: LabelReader) -> Numbers:
        """The label of each prediction, NaN without one: from the ground truth, or merged into a record of one row by Model Monitor."""
        merged = {record.eventMetadata.inferenceId: record.groundTruthData for record in records if record.groundTruthData is not None}
        if not merged and not len(self.labels.keys):
            return np.full(len(answers.values), np.nan)
        ids = answers.ids(records)
        truth = self.labels.of(ids)
        for place, identifier in enumerate(ids if merged else ()):
            label = merged.get(identifier)
            if label is None:
                continue
            try:
                truth[place] = truths.read(label.data)
            except ValueError:
                tally.unreadable_labels += 1
        return truth


def _add_columns(summary: WindowSummary, columns: Columns) -> None:
    summary.tally.rows += columns.rows
    summary.tally.unreadable_requests += columns.unreadable
    summary.absent.update(columns.absent)
    summary.extra.add(columns.extra)
    for name, parts in columns.numbers.items():
        target = summary.columns.get(name)
        if isinstance(target, NumberSummary):
            target.add(np.concatenate(parts))
    for name, counts in columns.texts.items():
        target = summary.columns.get(name)
        if isinstance(target, TextSummary):
            target.add(counts)
    for name, count in columns.invalid.items():
        summary.columns[name].invalid += count


Scan = Callable[[Shard, frozenset[int]], tuple[WindowSummary, Keys]]


def scan_window(source: Path, scanner: Scanner, workers: int) -> tuple[WindowSummary, int]:
    """(the summary of every capture file below a folder, how many files)."""
    shards = find_shards(source)
    total = scanner.empty()
    size = sum(shard.stop - shard.start for shard in shards)
    with _uncollected(), _pool(scanner, workers if size > SMALL else 1) as run:
        parts = zip(shards, run(shards), strict=True)
        for _, folder in groupby(parts, key=lambda part: part[0].path.parent):
            _merge_folder(total, folder, scanner)
    return total, len({shard.path for shard in shards})


def _merge_folder(total: WindowSummary, parts: Iterable[tuple[Shard, tuple[WindowSummary, Keys]]], scanner: Scanner) -> None:
    seen = SeenKeys()
    for shard, (summary, keys) in parts:
        again = seen.among(keys)
        seen.add(keys)
        total.merge(scanner.scan(shard, frozenset(again.tolist()))[0] if len(again) else summary)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's search for cycles: what is read holds none, and to walk over millions of records takes an eighth of the time.

    Processes that are forked meanwhile do without it too.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def _pool(scanner: Scanner, workers: int) -> Iterator[Callable[[list[Shard]], Iterable[tuple[WindowSummary, Keys]]]]:
    if workers == 1:
        yield lambda shards: map(scanner.scan, shards)
        return
    # A fork shares the labels and starts at once; elsewhere than on Linux system libraries may not survive it.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(workers, context, _use, (scanner,)) as executor:
        yield lambda shards: _in_order(executor, shards, AHEAD * workers)


def _in_order(executor: ProcessPoolExecutor, shards: Iterable[Shard], most: int) -> Iterator[tuple[WindowSummary, Keys]]:
    """The shards' results, of which at most so many wait to be taken."""
    waiting: deque[Future[tuple[WindowSummary, Keys]]] = deque()
    for shard in shards:
        waiting.append(executor.submit(_scan, shard))
        if len(waiting) == most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_scanners: list[Scanner] = []


def _use(scanner: Scanner) -> None:
    """Once in each process."""
    _scanners[:] = [scanner]


def _scan(shard: Shard) -> tuple[WindowSummary, Keys]:
    return _scanners[0].scan(shard)
