"""A report as Markdown."""

import re

from textapp.cli.reporting.markdown import escaped, markdown


def test_every_row_of_a_table_has_its_columns(make_report):
    text = markdown(make_report())
    tables = [block.split("\n") for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 4
    for lines in tables:
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(columns) == 1
    assert "| 1 | большой 大 | **90.00** | 88.0 to 91.5 | 4,000,000 |" in text
    assert text.startswith("# 3 models: accuracy, bytes, latency\n\n## Results\n")


def test_no_name_becomes_markup(make_report):
    text = markdown(make_report())
    assert "<script" not in text.replace("\\<", "")
    assert not re.search(r"(?<!\\)[\[\]`&]", text)
    assert escaped("_a_b_ c_ *d*") == r"\_a_b\_ c\_ \*d\*"
    assert escaped("dynamic_wi8_好_x") == "dynamic_wi8_好_x"
