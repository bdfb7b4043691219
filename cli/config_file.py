"""tidewheel.yaml, written: what `tide init` found, with comments for whoever edits it next."""

import json
import re

import yaml

from cli.inspection import FEWEST_ROWS, Contract
from contracts.privacy import Privacy

_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_.-]*$")
FIRST_SHARE = 0.7
"""The share of the rows that `tide demo` uploads first; the quality gate must let that many through."""


def render_config(project: str, dataset: str, table: str, contract: Contract) -> str:
    """The file's text. It parses to the same values, whatever characters the names hold."""
    lines = [
        "# Tidewheel's configuration of this project; every key and its default: contracts/config.py.",
        f"project: {_text(project)}",
        "environment: dev",
        "",
        "data:",
        f"  dataset: {_text(dataset)}",
        f"  table: {_text(table)} # what tide demo uploads",
        f"  target: {_text(contract.target)}",
        f"  problem: {contract.problem} # binary, multiclass or regression",
    ]
    if contract.positive is not None:
        lines.append(f"  positive: {_text(contract.positive)} # the target's value that counts as positive")
    if contract.identifier is not None:
        lines.append(f"  id: {_text(contract.identifier)} # identifies a row; never a feature")
    if contract.time is not None:
        lines.append(f"  time: {_text(contract.time)} # when a row happened; the latest rows are the holdout")
    lines.append("  features: # numeric, categorical, boolean or datetime")
    lines += [f"    {_text(name)}: {kind}{_hint(contract.personal.get(name))}" for name, kind in contract.features.items()]
    if contract.ignore:
        lines.append("  ignore:")
        lines += [f"    - {_text(name)} # {why}" for name, why in contract.ignore.items()]
    lines += _privacy(contract.privacy)
    fewest = int(contract.rows * FIRST_SHARE * 0.85)
    if fewest < FEWEST_ROWS:
        lines += ["  quality:", f"    minimum_rows: {max(10, fewest)} # the table is small"]
    lines += ["", "approval:", "  policy: auto # or manual: a person approves each model", ""]
    lines += ["environments:", "  prod:", "    approval:", "      policy: manual", ""]
    return "\n".join(lines)


def _hint(personal: str | None) -> str:
    return f" # {personal}? data.privacy can drop or hash it" if personal else ""


def _privacy(privacy: Privacy) -> list[str]:
    chosen = {"drop": privacy.drop, "hash": privacy.hash}
    lines = [f"    {verb}: [{', '.join(map(_text, names))}]" for verb, names in chosen.items() if names]
    return ["  privacy: # docs/privacy.md", *lines] if lines else []


def _text(value: str) -> str:
    """A YAML scalar that is read as this text: quoted wherever YAML would see something else (Yes, 1.0, null, a colon)."""
    if _PLAIN.match(value) and yaml.safe_load(value) == value:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)
