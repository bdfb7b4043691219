"""Drift checks of other projects on the same tables. Run by monitor.py with their own Python: <project> baseline.parquet window.parquet."""

import sys
from collections.abc import Callable

import pandas as pd


def evidently(before: pd.DataFrame, now: pd.DataFrame) -> None:
    """The drift preset with its defaults."""
    from evidently import Dataset, Report  # noqa: PLC0415 - each project is imported only when it is measured
    from evidently.presets import DataDriftPreset  # noqa: PLC0415 - as above

    Report([DataDriftPreset()]).run(Dataset.from_pandas(now), Dataset.from_pandas(before)).dict()


def nannyml(before: pd.DataFrame, now: pd.DataFrame) -> None:
    """Univariate drift with its defaults."""
    import nannyml as nml  # noqa: PLC0415 - each project is imported only when it is measured

    nml.UnivariateDriftCalculator(column_names=list(before.columns), chunk_number=1).fit(before).calculate(now)


PROJECTS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], None]] = {"evidently": evidently, "nannyml": nannyml}

if __name__ == "__main__":
    PROJECTS[sys.argv[1]](*(pd.read_parquet(path) for path in sys.argv[2:4]))
