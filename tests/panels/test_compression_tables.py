"""Texts in the Compression panel's tables are shown as they are."""

from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree

from tests.draw.drift_by_hand import drift_by_hand
from workbench.lab.feature_findings import FeatureFinding
from workbench.panels.compression import result
from workbench.panels.compression.result import CompressionLook, findings_html


def test_what_a_feature_lost_its_credit_to_is_called_by_its_name(monkeypatch):
    finding = FeatureFinding(
        "int8", "LIME", "a < b", "lost to", "R & D", 1.0, -0.5, 0.0, 0.9, 0.1, 2.0, 1.0
    )
    found = SimpleNamespace(features=(finding, replace(finding, model="another")), slices=())
    monkeypatch.setattr(result, "found_in", lambda drift, method: found)
    page = findings_html(
        SimpleNamespace(drift=drift_by_hand()), CompressionLook(copy="int8", method="LIME")
    )
    table = ElementTree.fromstring(page[page.index("<table") : page.index("</table>") + 8])
    _, line = table.iter("tr")
    assert [cell.text for cell in line] == [
        "a < b", "lost to R & D", "1", "−0.5", "2", "1", "90%", "10%",
    ]  # fmt: skip
