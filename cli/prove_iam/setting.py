"""What the proof deploys: the project as it is, but for what a story of a minute needs.

Most of it no policy depends on: thresholds, sizes, times, who may call the API. Network and privacy stay. Two settings that policies
depend on are replaced, `serving.mode` and `monitoring.backend`; for a project with other values the statements that only those bring
along are not proven, and the proof says so (`replaced`). Scaling, capture, the stream (where nothing is private, which it takes) and
scheduled batches are on, so their statements are proven though a project may not have them.
"""

from pathlib import Path

import yaml

from cli.project import CONFIG_NAME, Project, load_project

# The limits of jobs are far away, because the clock is moved on while they run.
_LONG = 432_000
BAKE = 600
"""Seconds for which the alarms watch a version that has taken over; the clock is moved on."""
_SETTINGS = {
    "training": {
        "candidates": 1,
        "folds": 2,
        "seed": 20,
        "holdout": 0.3,
        "max_runtime_seconds": _LONG,
        "gate": {"mode": "enabled", "tolerance": 1.0},
    },
    "approval": {"policy": "auto"},
    "serving": {
        "mode": "realtime",  # a serverless endpoint captures nothing, and its roles may do less
        "instance_count": 1,
        "max_instance_count": 2,
        "rollout": {"type": "all_at_once", "termination_wait_seconds": BAKE},
    },
    "monitoring": {
        "window_hours": 1,
        "label_delay_hours": 0,
        "capture_percent": 100,
        "backend": "processing_job",
        "alarm": {"needed": 1, "windows": 1},
        "max_runtime_seconds": _LONG,
    },
    "retraining": {
        "mode": "enabled",
        "trigger": "alarms",
        "minimum_labels": 20,
        "cooldown_windows": 1,
        "monthly_cap": 1_000_000,
        "failures_to_stop": 1_000_000,
    },
}
_GITHUB = {"repository": "octo-org/octo-repo", "branch": "main"}


def replaced(project: Project, proven: Project) -> list[str]:
    """The settings that policies depend on and that the proof has other values of, in words."""
    own, other = project.config, proven.config
    pairs = (
        ("serving.mode", own.serving.mode, other.serving.mode),
        ("monitoring.backend", own.monitoring.backend, other.monitoring.backend),
    )
    return [f"{name}: {there} instead of {here}" for name, here, there in pairs if here != there]


def proof_project(project: Project, folder: Path) -> Project:
    """The project with a loop that turns within a minute, as a tidewheel.yaml in `folder`."""
    config = project.config
    values = config.model_dump(mode="json", exclude_unset=True) | {"environment": config.environment}
    for section, settings in _SETTINGS.items():
        values[section] = values.get(section, {}) | settings
    # The story deploys as a workflow, too. A twin is a fresh account, without GitHub's identity provider.
    values["github"] = (values.get("github") or _GITHUB) | {"provider": "create"}
    # The story signs its requests; who may call the API is the API's matter, not IAM's, where tokens are asked for.
    values.pop("api", None)
    values["data"] = values["data"] | {"quality": {"minimum_rows": 50, "maximum_missing": 0.9}}
    values["batch"] = values.get("batch", {}) | {"schedule": "rate(1 hour)"}
    if not config.data.privacy.columns:
        # A batch that cannot be answered without a grant is put aside soon.
        values["stream"] = values.get("stream", {}) | {"enabled": True, "retries": 1}
    path = folder / CONFIG_NAME
    path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return load_project(path, config.environment)
