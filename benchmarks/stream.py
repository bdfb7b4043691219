"""Records of a stream, predicted on the twin: records a second from the first put to the last prediction on the output stream.

    python -m benchmarks.stream [--records 10000] [--batch 500] [--shards 2] [--keys 200] [--wrong 0.0]

Everything is in it: the stream, Lambda's poller, the function, the endpoint, the output stream and S3, on one machine. A small table trains
the model first, which takes a minute and is not counted. `--wrong` is the share of records that do not fit the model.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli.account import twin_account
from cli.twin_process import running_twin

TIDE = str(Path(sys.executable).parent / "tide")
CONFIG = """project: tides
data:
  dataset: tides
  target: swims
  problem: binary
  positive: "yes"
  features: {{height: numeric, wind: numeric, moon: categorical}}
training: {{candidates: 1, folds: 2, gate: {{minimum: 0.5}}}}
serving: {{instance_count: 1, rollout: {{type: all_at_once, termination_wait_seconds: 0}}}}
stream: {{enabled: true, shards: {shards}, batch_size: {batch}}}
"""
AT_ONCE = 500  # records of a PutRecords


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Rows with their label."""
    chance = random.Random(1)
    for _ in range(count):
        height, wind = chance.gauss(0, 1), chance.gauss(0, 1)
        yield {"height": height, "wind": wind, "moon": "full", "swims": "yes" if height > wind else "no"}


def prepare(folder: Path, shards: int, batch: int) -> None:
    """A running twin with a live model."""
    (folder / "tidewheel.yaml").write_text(CONFIG.format(shards=shards, batch=batch))
    lines = [",".join(map(str, row.values())) for row in rows(400)]
    (folder / "train.csv").write_text("\n".join(["height,wind,moon,swims", *lines]) + "\n")
    for command in (["up", "--port", "0", "--speed", "60"], ["data", "push", "train.csv"], ["status", "--wait"]):
        subprocess.run([TIDE, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def records(count: int, keys: int, wrong: float) -> list[dict[str, Any]]:
    """What is put."""
    chance = random.Random(2)
    found = []
    for number, row in enumerate(rows(count)):
        row.pop("swims")
        if chance.random() < wrong:
            row["wind"] = "strong"
        found.append({"PartitionKey": f"key-{number % keys}", "Data": json.dumps(row).encode()})
    return found


def answered(kinesis: Any, start: dict[str, str]) -> int:
    """Predictions that came onto the output stream since the last look; `start` has the iterator of each shard."""
    count = 0
    for shard, iterator in start.items():
        reply = kinesis.get_records(ShardIterator=iterator)
        start[shard] = reply["NextShardIterator"]
        count += sum(record["Data"].count(b"\n") for record in reply["Records"])
    return count


def measure(folder: Path, sent: list[dict[str, Any]], good: int) -> float:
    """Seconds until all good records are answered; one has been before, so that everything is warm."""
    twin = running_twin(folder / ".tidewheel")
    assert twin is not None
    kinesis = twin_account(twin.url, twin.region).client("kinesis")
    source, output = "tides-dev-requests", "tides-dev-predictions"
    start = {
        shard["ShardId"]: kinesis.get_shard_iterator(StreamName=output, ShardId=shard["ShardId"], ShardIteratorType="LATEST")[
            "ShardIterator"
        ]
        for shard in kinesis.list_shards(StreamName=output)["Shards"]
    }
    warm = next(rows(1))
    warm.pop("swims")
    kinesis.put_record(StreamName=source, PartitionKey="warm", Data=json.dumps(warm).encode())
    while not answered(kinesis, start):
        time.sleep(0.05)
    began = time.monotonic()
    for first in range(0, len(sent), AT_ONCE):
        kinesis.put_records(StreamName=source, Records=sent[first : first + AT_ONCE])
    count = 0
    while count < good:
        count += answered(kinesis, start)
        time.sleep(0.05)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--wrong", type=float, default=0.0)
    arguments = parser.parse_args()
    sent = records(arguments.records, arguments.keys, arguments.wrong)
    good = sum(b"strong" not in record["Data"] for record in sent)
    with TemporaryDirectory(prefix="stream-") as temporary:
        folder = Path(temporary)
        try:
            prepare(folder, arguments.shards, arguments.batch)
            seconds = measure(folder, sent, good)
        finally:
            subprocess.run([TIDE, "down"], cwd=folder, check=False, stdout=subprocess.DEVNULL)
    print(f"{good:,} of {len(sent):,} records predicted in {seconds:.2f} s: {len(sent) / seconds:,.0f} records/s")


if __name__ == "__main__":
    main()
