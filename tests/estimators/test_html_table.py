"""Tables for notebooks."""

from xml.etree import ElementTree

from sklearn_mtl.estimators.html_table import table_html


def test_every_text_is_escaped_and_every_cell_in_its_place():
    html = table_html("<b>", ["a & b"], ["task", "<i>"], [["<u>", "1"], ["x", '"']], words=["task"], best=1)
    style, table = html.split("</style>")
    assert style.startswith("<style>")
    root = ElementTree.fromstring(table)
    assert [line.text for line in root.findall("p")] == ["<b>", "a & b"]
    assert [cell.text for cell in root.iter("th")] == ["task", "<i>"]
    assert [[cell.text for cell in row] for row in root.find("table/tbody")] == [["<u>", "1"], ["x", '"']]
    assert [row.get("class") for row in root.find("table/tbody")] == [None, "best"]
    assert [cell.get("class") for cell in root.iter("td")] == ["words", None] * 2


def test_no_colour_is_its_own_since_the_theme_is_not_known():
    style = table_html("", [], [], []).split("</style>")[0]
    assert "color: inherit" in style
    assert "#" not in style
