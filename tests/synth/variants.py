"""Configurations whose templates differ, each synthesised once a session: what holds for one must hold for all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from contracts.config import parse_config
from stacks.project import Project
from stacks.tidewheel import add_stacks, new_app
from tests.synth.templates import Template

ROOT = Path(__file__).parents[2]
_DATA = yaml.safe_load((ROOT / "tidewheel.yaml").read_text())["data"]


def private(**privacy: list[str]) -> Mapping[str, Any]:
    """The example with an id, another feature, and private columns."""
    return {"data": _DATA | {"id": "number", "features": _DATA["features"] | {"email": "categorical"}, "privacy": privacy}}


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "dev": {},
    "prod": {"environment": "prod"},
    "model_monitor": {"monitoring": {"backend": "model_monitor"}},
    "private": {**private(drop=["name"], hash=["email", "number"]), "batch": {"schedule": "rate(1 day)"}},
    "vpc": {"network": {"mode": "vpc", "zones": 3}, "monitoring": {"backend": "model_monitor"}, "serving": {"workers": 2}},
    "stream": {"stream": {"enabled": True, "shards": 2, "retention_hours": 48}, "batch": {"schedule": "rate(1 day)"}},
    "serverless": {
        "serving": {
            "mode": "serverless",
            "serverless": {"memory_megabytes": 3072, "max_concurrency": 5},
            "rollout": {"type": "all_at_once"},
        },
        "monitoring": {"capture_percent": 0},
        "api": {"maximum_body_kilobytes": 4096},
    },
    # The smallest endpoint that always runs, too: to synthesise one more app takes seconds.
    "jwt": {
        "serving": {"instance_type": "ml.t2.medium", "instance_count": 1, "max_instance_count": 1, "rollout": {"type": "all_at_once"}},
        "api": {
            "authorization": "jwt",
            "jwt": {"issuer": "https://id.example.com/tenant", "audience": ["tides"]},
            "requests_per_second": 20,
            "burst": 40,
        },
    },
}


@dataclass(frozen=True)
class Assembly:
    """One synthesised app: its folder, and its templates by stack."""

    folder: Path
    templates: Mapping[str, Template]


def synthesise(changes: Mapping[str, Any], flags: Mapping[str, Any], folder: Path) -> Assembly:
    """The example project with some sections replaced."""
    raw = yaml.safe_load((ROOT / "tidewheel.yaml").read_text()) | dict(changes)
    config = parse_config(raw)
    app = new_app(flags, folder)
    add_stacks(app, Project(config, ROOT))
    app.synth()
    found = {path.name.split(".")[0].removeprefix(f"{config.prefix}-"): path for path in sorted(folder.glob("*.template.json"))}
    return Assembly(folder, {part: Template(json.loads(path.read_text())) for part, path in found.items()})
