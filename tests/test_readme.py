"""The README's code runs as it stands, and its commands are the Makefile's."""

import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_code_runs_from_top_to_bottom():
    names: dict[str, object] = {}
    shown = []
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        *lines, last = block.rstrip().splitlines()
        exec("\n".join([*lines, f"last = {last}"]), names)  # noqa: S102 - our own text
        shown.append(names["last"])
    _, own, summary, weighted_anew, lines = shown
    assert "age = missing" in own.words
    score = names["pipeline"].predict_proba(names["training"].head(4))[:, 1]
    np.testing.assert_array_equal(names["why"].output, score)
    np.testing.assert_allclose(
        names["why"].values.sum(axis=1) + names["why"].base, score, rtol=1e-12
    )
    assert list(summary.model) == ["shapes_shortcut_cnn"]
    assert summary.cosine.iloc[0] < 0.5
    assert weighted_anew.provenance.ensemble.weights == (0.5, 0.5)
    assert re.findall(r"(\d+% pruned): explanations (\w+) on these 64 rows", lines.words) == [
        ("10% pruned", "preserved"),
        ("90% pruned", "changed"),
    ]


def test_the_commands_are_the_makefiles_and_every_file_it_names_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make (\w+)`?", README):
        if target in ("demo", "test", "lab", "check", "fast"):
            assert f"\n{target}:" in makefile
    for path in re.findall(r"`((?:docs|notebooks|assets|tests)/[\w./]+)`|src=\"([^\"]+)\"", README):
        assert (ROOT / "".join(path)).exists(), path


def test_ci_calls_the_readmes_test_command_from_a_clean_environment():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "rm -rf .venv" in script
    assert script.rstrip().endswith("make test")


def test_the_workflow_calls_the_readmes_two_commands_on_every_python_it_promises():
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert re.findall(r"run: (make \w+)", workflow) == ["make demo", "make test"]
    assert re.findall(r"python: \[(.*)\]", workflow) == ['"3.11", "3.12", "3.13"']
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'requires-python = ">=3.11"' in project
