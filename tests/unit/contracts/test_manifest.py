"""A dataset version is what the data is, not where it lies."""

from contracts.config import Data
from contracts.manifest import ColumnSummary, DataFile, Manifest
from contracts.statistics import Statistics
from contracts.tables.formats import Format


def manifest(**changes: object) -> Manifest:
    contract = Data.model_validate({"dataset": "d", "target": "y", "problem": "regression", "features": {"x": "numeric"}})
    file = DataFile(bucket="b", key="uploads/d/t.csv", version_id="v1", size=10, sha256="a" * 64, rows=60)
    values: dict[str, object] = {
        "dataset": "d",
        "files": (file,),
        "columns": (ColumnSummary(name="x", role="feature", kind=None, missing=0),),
        "contract": contract,
    }
    return Manifest.model_validate(values | changes)


def moved(file: DataFile, **changes: object) -> DataFile:
    return file.model_copy(update=changes)


def test_the_same_bytes_elsewhere_are_the_same_version() -> None:
    here = manifest()
    there = manifest(files=(moved(here.files[0], bucket="other", key="k", version_id="v2"),))
    assert here.version == there.version


def test_other_bytes_contract_or_parents_are_another_version() -> None:
    here = manifest()
    other_target = here.contract.model_copy(update={"target": "z"})
    others = [
        manifest(files=(moved(here.files[0], sha256="b" * 64),)),
        manifest(contract=other_target),
        manifest(parents=("0123456789abcdef",)),
        manifest(dataset="e"),
    ]
    assert len({here.version, *(other.version for other in others)}) == 5


def test_where_the_laptop_finds_its_table_does_not_matter() -> None:
    here = manifest()
    assert manifest(contract=here.contract.model_copy(update={"table": "elsewhere.csv"})).version == here.version


def test_a_manifest_survives_json() -> None:
    here = manifest()
    assert Manifest.from_json(here.to_json()) == here
    assert Manifest.from_json(here.to_json()).version == here.version
    assert here.rows == 60


def test_what_was_counted_and_how_it_is_read_are_no_part_of_the_version() -> None:
    here = manifest()
    told = here.columns[0].model_copy(update={"statistics": Statistics(present=60, distinct=3, mean=1.5)})
    there = manifest(columns=(told,), files=(moved(here.files[0], format=Format.PARQUET),))
    assert there.version == here.version
    assert Manifest.from_json(there.to_json()) == there


def test_a_manifest_of_before_has_its_version_still() -> None:
    old = (
        '{"dataset":"d","files":[{"bucket":"b","key":"uploads/d/t.csv","version_id":"v1","size":10,"sha256":"' + "a" * 64 + '","rows":60}],'
        '"columns":[{"name":"x","role":"feature","kind":null,"missing":0}],"contract":{"dataset":"d","target":"y","problem":"regression",'
        '"features":{"x":"numeric"}},"parents":[]}'
    )
    found = Manifest.from_json(old)
    assert found == manifest()
    assert found.version == "b204d4e49915573f"
