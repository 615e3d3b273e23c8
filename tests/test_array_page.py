"""The examples of docs/arrays.md run as they stand."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from minpy import runtime

PAGE = Path(__file__).resolve().parent.parent / "docs" / "arrays.md"


@pytest.mark.skipif(not runtime.available(), reason="it shows a compiled function")
def test_the_examples_of_the_page_run():
    text = PAGE.read_text().replace("```python\n", "\n").replace("\n```", "\n\n")
    examples = doctest.DocTestParser().get_doctest(text, {}, "arrays.md", str(PAGE), 0)
    assert len(examples.examples) > 12
    shown: list[str] = []
    results = doctest.DocTestRunner().run(examples, out=shown.append)
    assert results.failed == 0, "".join(shown)
