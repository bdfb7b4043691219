"""What a command shows: to people as lines, tables and live progress, to machines as one JSON document.

With `--json` the document goes to stdout and everything for people to stderr. Progress is live on a terminal; in a pipe or a log it is one
line for each step. rich leaves colours out when NO_COLOR is set or nobody watches.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

PIPE_WIDTH = 160


@dataclass
class Phase:
    """A step of a command: what it is called, and how many seconds it took. `show` says what it is doing at the moment."""

    name: str
    seconds: float = 0.0
    result: str = ""
    show: Callable[[str], None] = field(default=lambda _: None, repr=False)


class Output:
    """Where a command writes. `machine`: the command was asked for JSON."""

    def __init__(self, machine: bool = False) -> None:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")  # a terminal that cannot show a character shows a question mark
        self.machine = machine
        stream = sys.stderr if machine else sys.stdout
        self.console = Console(file=stream, highlight=False, soft_wrap=True, width=None if stream.isatty() else PIPE_WIDTH)

    def say(self, text: str = "", style: str | None = None) -> None:
        """One line for people."""
        self.console.print(escape(text), style=style)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
        """A table for people."""
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
        with self.console.capture() as shown:
            self.console.print(table)
        # rich fills the last column with blanks, which are noise in a pipe, a log or a document.
        self.console.file.write("".join(line.rstrip() + "\n" for line in shown.get().splitlines()))

    def document(self, content: Any) -> None:
        """The result for machines; nothing without --json."""
        if self.machine:
            sys.stdout.write(json.dumps(content, indent=2, default=str) + "\n")

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Progress of one step: live while it runs, a line with its seconds when it is done."""
        phase = Phase(name)
        started = time.monotonic()
        with self.console.status(escape(name)) as status:
            phase.show = _shower(status, name, started, self.console.is_terminal)
            try:
                yield phase
            finally:
                phase.seconds = round(time.monotonic() - started, 2)
        self.console.print(
            f"[green]ok[/green]  {phase.seconds:6.1f} s  {escape(name)}" + (f": {escape(phase.result)}" if phase.result else "")
        )


def _shower(status: Status, name: str, started: float, live: bool) -> Callable[[str], None]:
    def show(text: str) -> None:
        if live:
            status.update(f"{escape(name)}: {escape(text)} [dim]{time.monotonic() - started:.0f} s[/dim]")

    return show
