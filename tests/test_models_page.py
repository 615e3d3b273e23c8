"""The examples of docs/models.md do what the page says."""

from __future__ import annotations

import doctest
import pathlib
import re

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "models.md"


def test_every_example_of_the_page_prints_what_it_says():
    text = re.sub(r"^```.*$", "", PAGE.read_text(), flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(examples.examples) > 30
    told: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=told.append)
    assert result.failed == 0, "".join(told)
