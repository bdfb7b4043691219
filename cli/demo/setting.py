"""What the demo deploys: the project as it is, but for what a story of minutes needs."""

from pathlib import Path

import yaml

from cli.project import CONFIG_NAME, Project, load_project
from contracts.config import MonitoringBackend
from contracts.serving import RolloutType, ServingMode

WINDOW_HOURS = 1
_MONITORING = {
    "window_hours": WINDOW_HOURS,
    "label_delay_hours": 0,
    "capture_percent": 100,
    "backend": str(MonitoringBackend.PROCESSING_JOB),
    "alarm": {"needed": 1, "windows": 1},
}
# A tenth of the traffic, so that six attempts at an answer never all meet a broken canary; long enough for an alarm to see it.
_ROLLOUT = {"type": str(RolloutType.CANARY), "step_percent": 10, "interval_seconds": 300, "termination_wait_seconds": 60}
FEWEST_INSTANCES = 2


def demo_project(project: Project, folder: Path) -> Project:
    """The project with hourly windows, an alarm on a single bad one, and a canary, as a tidewheel.yaml in `folder`."""
    config = project.config
    values = config.model_dump(mode="json", exclude_unset=True) | {"environment": config.environment}
    values["monitoring"] = values.get("monitoring", {}) | _MONITORING
    instances = max(FEWEST_INSTANCES, config.serving.instance_count)
    most = max(instances, config.serving.max_instance_count)
    fleet = {"mode": str(ServingMode.REALTIME), "instance_count": instances, "max_instance_count": most}
    values["serving"] = values.get("serving", {}) | fleet | {"rollout": _ROLLOUT}
    values["api"] = values.get("api", {}) | {"cache_seconds": 0}  # an answer from memory would not be captured
    path = folder / CONFIG_NAME
    path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return load_project(path, config.environment)
