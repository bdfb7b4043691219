"""The stream's section of tidewheel.yaml, and dead letters."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts.config import parse_config
from contracts.errors import ConfigError
from contracts.stream import DeadLetter, Stream, read_dead_letter

RAW: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "tidewheel.yaml").read_text())


@given(st.binary(max_size=200), st.text(max_size=20, alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_dead_letter_brings_its_payload_back_in_plain_ascii(data: bytes, key: str) -> None:
    message = DeadLetter("why", "arn", "shard", "1", key, "2026-11-20T10:00:00.000Z", data).message()
    # SQS takes no control characters but tab, line feed and carriage return.
    assert re.fullmatch(r"[\x20-\x7e]*", message)
    read = read_dead_letter(message)
    assert (read["data"], read["partition_key"], read["sequence_number"], read["reason"]) == (data, key, "1", "why")


def test_there_is_no_stream_unless_it_is_asked_for() -> None:
    assert not parse_config(RAW).stream.enabled


@pytest.mark.parametrize(("hours", "seconds"), [(24, 23 * 3600), (48, 47 * 3600), (8760, 604_800)])
def test_a_record_is_put_aside_before_kinesis_forgets_it(hours: int, seconds: int) -> None:
    assert Stream(retention_hours=hours).oldest_seconds == seconds


def test_a_stream_takes_no_project_with_private_columns() -> None:
    private = {"data": RAW["data"] | {"privacy": {"drop": ["name"]}}, "stream": {"enabled": True}}
    with pytest.raises(ConfigError, match=r"stream.enabled: a stream keeps its records as they came"):
        parse_config(RAW | private)
    parse_config(RAW | private | {"stream": {"enabled": False}})
