"""The contract that nobody reaches past a door is seen to fail."""

from copy import deepcopy

import grimp
import pytest

from tests.doors_contract import reaching_past


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("workbench", cache_dir=None)


def past(graph: grimp.ImportGraph, imported: str, line: str) -> list[tuple[str, str, str]]:
    """What the contract finds where `workbench.report` holds this line too."""
    changed = deepcopy(graph)
    changed.add_import(
        importer="workbench.report", imported=imported, line_number=1, line_contents=line
    )
    return reaching_past(changed)


@pytest.mark.parametrize(
    "line",
    [
        "from workbench.models.torch.engine import TorchEngine",
        "import workbench.models.torch.engine",
        "from workbench.models.torch import engine",  # the file, though the line names the door
    ],
)
def test_a_file_behind_a_door_is_not_imported(graph, line):
    imported = "workbench.models.torch.engine"
    assert past(graph, imported, line) == [("workbench.report", imported, "workbench.models.torch")]


def test_a_function_named_like_its_file_comes_through_the_door(graph):
    file = "workbench.compare.drift.behavior"
    assert past(graph, file, "from workbench.compare.drift import behavior") == []
    assert past(graph, file, "from workbench.compare.drift.behavior import Behavior") != []


def test_a_door_and_the_files_of_a_rooms_own_floor_are_open_to_all(graph):
    assert (
        past(graph, "workbench.models.torch", "from workbench.models.torch import TorchEngine")
        == []
    )
    assert (
        past(graph, "workbench.models.wrapping", "from workbench.models.wrapping import wrap") == []
    )
