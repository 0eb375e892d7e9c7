"""`python -m tests.benchmarks`: run the cells, print each line as it comes, write table and charts."""

from __future__ import annotations

import argparse
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks import charts, ensembles, fewer_rows, images, sharing, slopes, tabular, trees
from tests.benchmarks.cell import Cell, Settings
from tests.benchmarks.measure import Watch
from tests.benchmarks.peers import IMPORTED
from tests.benchmarks.table import Line, markdown, plain, tally

CELLS: dict[str, Cell] = {
    "lime-tabular": tabular.lime_tabular,
    "lime-image": images.lime_image,
    "kernel-shap": tabular.kernel_shap,
    "rows": fewer_rows.rows_to_five_percent,
    "stopping": fewer_rows.stopping,
    "tree-shap": trees.path_dependent,
    "tree-shap-background": trees.interventional,
    "grad-cam": slopes.grad_cam,
    "integrated-gradients": slopes.integrated_gradients,
    "gradient-shap": slopes.gradient_shap,
    "study": sharing.study_of_five,
    "ensemble": ensembles.one_pass,
    "composing": ensembles.composing,
}

_HOW = """\
One process on one thread. Times are CPU time of the process, read in rounds in which everybody takes
part in random order; a ratio is the median of the rounds' ratios, with [smallest, largest]. The limit is
the model's own batched passes over the same number of rows, at the best of several batch sizes. Memory is
the peak of one call above what was resident before. A peer is run as it comes and tuned as well as its
options allow; what was compiled or loaded in a first call is not part of the times and is told apart.
Models are random or trained on the spot; all rows are bundled or drawn from fixed seeds.
`make bench` writes this page; `tests/test_costs.py` counts what need not be timed.
"""
_LIBRARIES = ("numpy", "torch", "shap", "lime", "captum", "xgboost", "lightgbm", "scikit-learn")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small jobs, to see that all runs")
    parser.add_argument("--only", nargs="+", choices=list(CELLS), metavar="NAME", default=None)
    parser.add_argument("--out", type=Path, default=None, help="where to write, without .md")
    asked = parser.parse_args()
    whole = asked.only is None and not asked.quick
    # Only a whole run replaces the page in the repository, unless a place is named.
    out = asked.out or Path("docs/benchmarks" if whole else "out/benchmarks")
    _one_thread()
    settings = Settings(quick=asked.quick)
    lines: list[Line] = []
    pictures: list[tuple[charts.Chart, Path]] = []
    started, watch = time.perf_counter(), Watch()
    for name in asked.only or CELLS:
        begun = time.perf_counter()
        for found in CELLS[name](settings):
            if isinstance(found, Line):
                lines.append(found)
                print(plain(found), flush=True)  # noqa: T201
            else:
                pictures.append((found, charts.save(found, out.parent / "images")))
        print(f"-- {name}: {time.perf_counter() - begun:.0f} s", flush=True)  # noqa: T201
    took = time.perf_counter() - started
    out.parent.mkdir(parents=True, exist_ok=True)
    page = out.with_suffix(".md")
    page.write_text(_page(settings, lines, pictures, out, took, watch.foreign()), encoding="utf-8")
    print(f"{tally(lines)} {took:.0f} s. Written: {page}")  # noqa: T201


def _page(
    settings: Settings,
    lines: list[Line],
    pictures: list[tuple[charts.Chart, Path]],
    out: Path,
    took: float,
    foreign: float,
) -> str:
    quick = "\n**A quick run: small jobs, two rounds. Do not quote these numbers.**\n"
    imports = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in IMPORTED.items())
    parts = [
        "# Benchmarks\n",
        _HOW,
        quick if settings.quick else "",
        f"{tally(lines)} {settings.rounds} rounds; {took / 60:.0f} minutes; other processes used "
        f"{foreign:.0%} of the cores. Python {platform.python_version()}, {_versions()}. "
        f"Importing peers: {imports}.\n",
        markdown(lines),
    ]
    for chart, path in pictures:
        parts.append(f"![{chart.title}]({path.relative_to(out.parent).as_posix()})\n")
    return "\n".join(part for part in parts if part)


def _versions() -> str:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
