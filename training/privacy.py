"""Private columns in a table of texts (contracts/privacy.py): what prepare writes holds hashes, and no later job sees anything else."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from contracts.config import Data
from contracts.errors import DataError, StateError
from contracts.layout import collection_of
from contracts.manifest import DataFile
from contracts.privacy import KEY_VARIABLE, Privacy, hashed


def check_same(version: str, accepted: Privacy, configured: str) -> None:
    """A dataset version must have been accepted under the project's private columns, whose digest is `configured`. Raises DataError.

    Else an old table would be trained on as it was, or with hashes that predict does not make.
    """
    if accepted.digest != configured:
        raise DataError(
            [f"dataset version {version} was accepted when data.privacy named other columns than now. Next: upload its table again"]
        )


def read_key(secrets: Any, environment: Mapping[str, str]) -> bytes:
    """The key, from the secret that the job's environment names. Raises StateError, botocore's ClientError."""
    name = environment.get(KEY_VARIABLE)
    if not name:
        raise StateError(f"the job has no {KEY_VARIABLE}, and data.privacy.hash names columns. Next: deploy the Training stack")
    text: str = secrets.get_secret_value(SecretId=name)["SecretString"]
    return text.encode()


def conceal(contract: Data, file: DataFile, table: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """A file's rows with hashes for values.

    What the loop collected of live traffic has hashed features already, but as id it has the inference id, as the caller gave it.
    """
    collected = collection_of(file.key) is not None
    columns = [name for name in contract.privacy.hash if not collected or name == contract.id]
    return table.assign(**{name: table[name].map(_hashes(key, name, table[name])) for name in columns})


def _hashes(key: bytes, column: str, cells: "pd.Series[str]") -> dict[str, str]:
    return {text: hashed(key, column, text) for text in cells.unique()}
