"""docs/twin.md says what the twin is now."""

from pathlib import Path

from twin.coverage import page

PAGE = Path(__file__).parents[2] / "docs" / "twin.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "Next: .venv/bin/python -m twin.coverage > docs/twin.md"
