"""docs/design.md draws the tree that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DRAWN = re.compile(r"^(?P<indent> +)(?P<name>[\w]+(?:/|\.py)) ")


def drawn() -> set[str]:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    lines = text.split("```\nworkbench/\n")[1].split("```")[0].splitlines()
    above, found = {0: "workbench/"}, set()
    for line in lines:
        if not (match := DRAWN.match(line)):
            continue
        depth = len(match["indent"]) // 2
        above[depth] = above[depth - 1] + match["name"]
        found.add(above[depth])
    return found


def there() -> set[str]:
    package = ROOT / "workbench"
    rooms = {
        f"{path.parent.relative_to(ROOT).as_posix()}/" for path in package.rglob("__init__.py")
    }
    files = {f"workbench/{path.name}" for path in package.glob("*.py")}
    return (rooms | files) - {"workbench/"}


def test_every_room_and_every_file_of_the_top_floor_is_drawn_and_no_other() -> None:
    """But for a panel: that is one folder, and takes no line elsewhere."""
    undrawn = there() - drawn()
    assert not drawn() - there()
    assert all(room.startswith("workbench/panels/") for room in undrawn)
