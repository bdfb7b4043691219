"""`tide down`: the end of a twin."""

from pathlib import Path

from cli.options import ConfigOption, DirectoryOption, JsonOption
from cli.output import Output
from cli.project import STATE_NAME, find_config
from cli.twin_process import end_leftovers, stop_twin


def down(directory: DirectoryOption = None, config: ConfigOption = None, machine: JsonOption = False) -> None:
    """Stop the twin and everything that it started. Nothing running is fine."""
    output = Output(machine)
    # A broken tidewheel.yaml must not keep a twin alive, so the file is found here, and not read.
    path = config or find_config(Path.cwd())
    folder = directory or (path.resolve().parent if path else Path.cwd()) / STATE_NAME
    stopped = stop_twin(folder)
    end_leftovers(folder)
    output.say(f"stopped the twin of {folder}" if stopped else f"no twin is running in {folder}")
    output.document({"ok": True, "stopped": stopped})
