"""The command does the main job on the bundled models, and refuses in one sentence."""

from pathlib import Path

import pytest

from workbench import cli
from workbench.errors import InputError

ROOT = Path(__file__).parents[1]


def test_the_demo_explains_compares_and_writes_report_and_pictures(tmp_path, capsys):
    assert cli.main(["demo", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert len(said.splitlines()) <= 22
    assert "GradCAM of shapes_cnn          points at the shape 100%, at the stamp   0%" in said
    assert "GradCAM of shapes_shortcut_cnn points at the shape   0%, at the stamp 100%" in said
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("<section") == 2 + 7
    pictures = sorted(file.name for file in (tmp_path / "out").glob("*.png"))
    assert len(pictures) == 7
    assert all((tmp_path / "out" / name).stat().st_size > 5_000 for name in pictures)


def test_doctor_says_what_is_there_and_what_cancel_can_do(capsys):
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "[torch] torch 2." in said
    assert "Cancel: the button works" in said


@pytest.mark.parametrize(
    ("release", "words"),
    [(None, "no panels"), ("6.31.0", "while no cell runs;"), ("7.4.0", "awaits a job")],
)
def test_what_cancel_can_do_depends_on_the_kernel(release, words):
    assert words in cli._cancel(release)


def test_a_missing_extra_is_named_with_its_install_line(capsys, monkeypatch):
    monkeypatch.setattr(cli, "_version", lambda package: None if package == "torch" else "1.0")
    cli.doctor()
    assert (
        '[torch] not installed: pip install "explainability-workbench[torch]"'
        in capsys.readouterr().out
    )


def test_a_refusal_is_one_sentence_and_status_2(tmp_path, capsys, monkeypatch):
    def refuse(out):
        raise InputError("It needs rows, and there are none.")

    monkeypatch.setattr(cli, "demo", refuse)
    assert cli.main(["demo", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "workbench: It needs rows, and there are none.\n"


def test_an_interrupt_ends_with_status_130(tmp_path, monkeypatch, capsys):
    def stop(out):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "demo", stop)
    assert cli.main(["demo"]) == 130


def test_version_and_wrong_words(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("workbench 0.")
    with pytest.raises(SystemExit) as end:
        cli.main(["explode"])
    assert end.value.code == 2


def test_the_notebooks_are_copied_and_nothing_is_overwritten(tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    assert cli.main(["notebooks", str(folder)]) == 0
    copied = sorted(path.name for path in folder.iterdir())
    assert copied == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert copied[0] == "01_explain_a_table.ipynb"

    (folder / copied[0]).write_text("mine")
    (folder / copied[1]).unlink()
    assert cli.main(["notebooks", str(folder)]) == 2
    assert copied[0] in capsys.readouterr().err
    assert (folder / copied[0]).read_text() == "mine"
    assert not (folder / copied[1]).exists(), "all or nothing"


def test_without_torch_the_demo_explains_tables_and_says_what_images_need(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert cli.main(["demo", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert 'pip install "explainability-workbench[torch]"' in printed
    assert "GradCAM" not in printed
    assert (tmp_path / "report.html").is_file()
