"""Where things lie: S3 keys of the data and artifacts buckets, and the folders of the model image's jobs.

data bucket         uploads/<dataset>/<file>                         what a person or a system puts there
                    uploads/<dataset>/<folder>/<file>, _SUCCESS      a table in several files (contracts/folder.py)
                    datasets/<dataset>/<version>/manifest.json       accepted: a dataset version
                    datasets/<dataset>/<version>/tree.json           a version of any other files
                    trees/<dataset>/<path>                           those files, as they were pushed
                    quarantine/<dataset>/<sha256>/<file>             refused, with reason.json beside it
                    feedback/<file>.csv                              labels, as a person or a system uploads them
                    ground-truth/yyyy/mm/dd/hh/<time>-<sha256>.jsonl labels as SageMaker reads them, by the hour of their collection
                    quarantine/feedback/<sha256>/<file>              rows of such a file that were refused, with reason.json beside them
                    collected/<collection>/labelled.csv              captured requests with their labels, as a part of a dataset version
                    collected/<collection>/collection.json           what was collected, and the dataset version that it became
                    stream/<dataset>/dt=yyyy-mm-dd/<shard>/          predictions of a stream, a file a batch
                    quarantine/stream/<shard>/<sequence number>      its records that are too long for a dead letter
                    aws/lambda/<mapping>/<shard>/                    its batches that Lambda put aside, with their records
artifacts bucket    capture/<endpoint>/<variant>/yyyy/mm/dd/hh/      what the endpoint captured, by the hour of the prediction
                    monitoring/yyyy/mm/dd/hh/                        verdict.json, report.html of the window that ended then
                    monitoring/by-hand/<job>/                        the same of a window that a person asked for
                    batch/<batch>/{in,out}/                          tables on their way through a transform job (contracts/batch)
                    runs/<run>/champion/                             who is to be beaten: champion.json, model.tar.gz
                    runs/<run>/champion/former-<n>/                  model.tar.gz of a model that was live before
                    runs/<run>/{train,holdout,model,evaluation}/     what the pipeline's steps wrote
"""

from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import NamedTuple

UPLOADS = "uploads/"
DATASETS = "datasets/"
TREES = "trees/"
QUARANTINE = "quarantine/"
RUNS = "runs/"
CAPTURE = "capture/"
FEEDBACK = "feedback/"
GROUND_TRUTH = "ground-truth/"
COLLECTED = "collected/"
MONITORING = "monitoring/"
BATCH = "batch/"
STREAM = "stream/"
PUT_ASIDE = "aws/lambda/"  # Lambda's own: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html

VARIANT = "AllTraffic"  # the endpoint's one production variant

# The largest table that ingest_dataset reads within the 15 minutes of a function, at 5 MB/s, with time to spare.
LARGEST_UPLOAD_BYTES = 2 * 1024**3

MANIFEST = "manifest.json"
TREE = "tree.json"
REASON = "reason.json"
CHAMPION = "champion.json"
EVALUATION = "evaluation.json"
OUTCOME = "outcome.json"
STATISTICS = "statistics.json"
CONSTRAINTS = "constraints.json"
MODEL_ARCHIVE = "model.tar.gz"
VIOLATIONS = "constraint_violations.json"
VERDICT = "verdict.json"
REPORT = "report.html"
LABELLED = "labelled.csv"
COLLECTION = "collection.json"


class UploadKey(NamedTuple):
    """What an upload's key says. `folder` is "" for a table in one file."""

    dataset: str
    folder: str
    name: str


def upload_key(dataset: str, file_name: str) -> str:
    """Where a table of a dataset is uploaded."""
    return f"{UPLOADS}{dataset}/{file_name}"


def upload_folder(dataset: str, folder: str) -> str:
    """Where a table of several files is uploaded."""
    return f"{UPLOADS}{dataset}/{folder}/"


def parse_upload_key(key: str) -> UploadKey:
    """The parts of an upload's key. Raises ValueError for one that is neither a table's nor of a folder's file."""
    parts = key.split("/")
    if len(parts) not in {3, 4} or parts[0] != UPLOADS.rstrip("/") or not all(parts) or ".." in parts:
        raise ValueError(f"{key!r} is neither {UPLOADS}<dataset>/<file> nor {UPLOADS}<dataset>/<folder>/<file>")
    return UploadKey(parts[1], parts[2] if len(parts) == 4 else "", parts[-1])


def dataset_prefix(dataset: str, version: str) -> str:
    """The folder of one dataset version; holds its manifest."""
    return f"{DATASETS}{dataset}/{version}/"


def manifest_key(dataset: str, version: str) -> str:
    """The manifest of one dataset version."""
    return dataset_prefix(dataset, version) + MANIFEST


def tree_manifest_key(dataset: str, version: str) -> str:
    """The manifest of one version of other files."""
    return dataset_prefix(dataset, version) + TREE


def tree_file_key(dataset: str, path: str) -> str:
    """Where a file of a tree is pushed."""
    return f"{TREES}{dataset}/{path}"


def parse_manifest_key(key: str) -> tuple[str, str]:
    """(dataset, version) of a manifest. Raises ValueError for another key."""
    parts = key.split("/")
    if len(parts) != 4 or parts[0] != DATASETS.rstrip("/") or parts[3] != MANIFEST:
        raise ValueError(f"{key!r} is not {DATASETS}<dataset>/<version>/{MANIFEST}")
    return parts[1], parts[2]


def quarantine_prefix(dataset: str, sha256: str) -> str:
    """Where a refused upload and its reason go; named by content, so the same bad file twice is one entry."""
    return f"{QUARANTINE}{dataset}/{sha256[:16]}/"


def parse_feedback_key(key: str) -> str:
    """The file name of a CSV file of labels. Raises ValueError for a key that is not `feedback/<file>.csv`."""
    name = key.removeprefix(FEEDBACK)
    if name == key or "/" in name or not name.lower().endswith(".csv"):
        raise ValueError(f"{key!r} is not {FEEDBACK}<file>.csv")
    return name


def hour_prefix(moment: datetime) -> str:
    """The partition of an hour, `yyyy/mm/dd/hh/` in UTC, as data capture and ground truth have it."""
    return moment.astimezone(UTC).strftime("%Y/%m/%d/%H/")


def capture_prefix(endpoint: str, variant: str, moment: datetime) -> str:
    """The folder of what an endpoint's variant captured in an hour, below the capture's destination."""
    return f"{endpoint}/{variant}/{hour_prefix(moment)}"


def ground_truth_key(collected: datetime, part: int, sha256: str) -> str:
    """A file of labels: part `part` (from 0) of those that came at one moment.

    The names sort as the labels came, so that a correction is read after what it corrects; the same labels of the same event are one file.
    """
    moment = collected.astimezone(UTC)
    return f"{GROUND_TRUTH}{hour_prefix(moment)}{moment:%M-%S}-{moment.microsecond // 1000:03d}-{part:04d}-{sha256}.jsonl"


def parse_ground_truth_hour(key: str) -> datetime:
    """The hour in which a file of labels was collected. Raises ValueError for another key."""
    return datetime.strptime(key[: len(GROUND_TRUTH) + len("yyyy/mm/dd/hh/")], f"{GROUND_TRUTH}%Y/%m/%d/%H/").replace(tzinfo=UTC)


def stream_key(dataset: str, arrived: datetime, shard: str, first: str, last: str) -> str:
    """The predictions of a shard's records from one sequence number to another; the day is that on which the first one arrived."""
    return f"{STREAM}{dataset}/dt={arrived.astimezone(UTC):%Y-%m-%d}/{shard}/{first}-{last}.jsonl"


def unreadable_key(shard: str, sequence_number: str) -> str:
    """A record of a stream that cannot be answered, as it came."""
    return f"{QUARANTINE}{STREAM}{shard}/{sequence_number}"


def monitoring_prefix(end: datetime) -> str:
    """The folder of what monitoring found in the window that ended at `end`, a full hour."""
    return MONITORING + hour_prefix(end)


def by_hand_prefix(job: str) -> str:
    """The folder of what a monitoring job found that a person asked for."""
    return f"{MONITORING}by-hand/{job}/"


def collection_prefix(collection: str) -> str:
    """The folder of what one retraining collected."""
    return f"{COLLECTED}{collection}/"


def collection_of(key: str) -> str | None:
    """The collection that an object of a dataset version belongs to; None for what people uploaded."""
    parts = key.split("/")
    return parts[1] if len(parts) == 3 and parts[0] == COLLECTED.rstrip("/") and parts[2] == LABELLED else None


def run_prefix(run: str) -> str:
    """The folder of one training run."""
    return f"{RUNS}{run}/"


def champion_prefix(run: str) -> str:
    """The folder of the model that a run must beat."""
    return f"{run_prefix(run)}champion/"


def former_folder(number: int) -> str:
    """Where a former champion's model.tar.gz lies, below the champion's folder; counted from 1."""
    return f"former-{number}"


# The jobs' folders, as SageMaker lays them out. ML_ROOT moves all of them (default /opt/ml).
ML_ROOT = PurePosixPath("/opt/ml")
ROOT_VARIABLE = "ML_ROOT"
PROCESSING_INPUT = ML_ROOT / "processing" / "input"
PROCESSING_OUTPUT = ML_ROOT / "processing" / "output"
MODEL_FOLDER = ML_ROOT / "model"

# Channels: inputs lie in PROCESSING_INPUT/<channel> or /opt/ml/input/data/<channel>, outputs in PROCESSING_OUTPUT/<channel>.
DATASET_CHANNEL = "dataset"  # prepare in: manifest.json
TRAIN_CHANNEL = "train"  # prepare out, train in: train.csv, held_out.csv, schema.json
HOLDOUT_CHANNEL = "holdout"  # prepare out, evaluate in: holdout.csv, schema.json
MODEL_CHANNEL = "model"  # evaluate in: model.tar.gz
CHAMPION_CHANNEL = "champion"  # evaluate in: champion.json, and model.tar.gz when there is a champion
CAPTURES_CHANNEL = "captures"  # monitor in, under Model Monitor: what the endpoint captured
VERDICT_CHANNEL = "verdict"  # monitor out: everything that monitoring found
EVALUATION_CHANNEL = "evaluation"  # evaluate out: evaluation.json, outcome.json, statistics.json, constraints.json, signature.json

# The digest of the model folder's content, which the model server checks before it loads anything.
ARTIFACT_VARIABLE = "ARTIFACT_SHA256"
# How many processes of the model server an instance runs.
WORKERS_VARIABLE = "SAGEMAKER_MODEL_SERVER_WORKERS"
