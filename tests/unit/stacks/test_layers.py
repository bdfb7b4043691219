"""The layer that reads Parquet is where AWS publishes it, and its absence is said before anything is deployed."""

import pytest

from contracts.errors import StateError
from stacks.layers import PANDAS, pandas_layer


def test_a_region_has_an_account_and_a_number_of_its_own() -> None:
    assert pandas_layer("us-east-1") == "arn:aws:lambda:us-east-1:336392948345:layer:AWSSDKPandas-Python313:14"
    assert pandas_layer("eu-south-1") == "arn:aws:lambda:eu-south-1:774444163449:layer:AWSSDKPandas-Python313:11"
    assert len({pandas_layer(region) for region in PANDAS}) == len(PANDAS)


def test_a_region_without_it_is_named() -> None:
    with pytest.raises(StateError, match=r"publishes no AWSSDKPandas-Python313 in xx-moon-1, .* Next: one of af-south-1, "):
        pandas_layer("xx-moon-1")
