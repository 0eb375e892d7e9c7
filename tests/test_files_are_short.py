"""A file is read in one sitting, and a folder is seen at one glance."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
LINES = {"workbench": 400, "tests": 450}
FILES = 50


def test_no_file_is_too_long():
    long = {
        str(path.relative_to(ROOT)): lines
        for room, most in LINES.items()
        for path in (ROOT / room).rglob("*.py")
        if (lines := path.read_text(encoding="utf-8").count("\n")) > most
    }
    assert not long, f"Split them: {long}; the most are {LINES} lines."


def test_no_folder_holds_too_many_files():
    folders = [
        folder
        for room in LINES
        for folder in [ROOT / room, *(ROOT / room).rglob("*")]
        if folder.is_dir() and folder.name != "__pycache__"
    ]
    assert len(folders) > 10
    full = {
        folder.relative_to(ROOT).as_posix(): count
        for folder in folders
        if (count := len(list(folder.glob("*.py")))) > FILES
    }
    assert not full, f"Make rooms inside them: {full}; the most are {FILES} files."
