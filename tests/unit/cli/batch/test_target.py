"""In a VPC the model of a batch runs where the endpoint's does."""

from types import SimpleNamespace
from typing import Any

import pytest

from cli.batch import target
from contracts.errors import StateError
from contracts.network import Mode

EXPORTS = {"p-dev-subnet-1": "subnet-a", "p-dev-subnet-2": "subnet-b", "p-dev-workloads": "sg-1"}


def app(mode: Mode, exports: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    outputs = [{"OutputKey": name, "ExportName": name, "OutputValue": value} for name, value in exports.items()]
    monkeypatch.setattr(target, "find_stack", lambda _client, name: {"Outputs": outputs} if name == "p-dev-network" else None)
    network = SimpleNamespace(mode=mode, zones=2)
    return SimpleNamespace(project=SimpleNamespace(config=SimpleNamespace(network=network)), cloudformation=None, prefix="p-dev")


def test_the_network_stack_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    assert target._place(app(Mode.PUBLIC, EXPORTS, monkeypatch)) == ("", "")
    assert target._place(app(Mode.VPC, EXPORTS, monkeypatch)) == ("subnet-a subnet-b", "sg-1")
    with pytest.raises(StateError, match="exports no p-dev-subnet-2"):
        target._place(app(Mode.VPC, {"p-dev-subnet-1": "subnet-a"}, monkeypatch))
