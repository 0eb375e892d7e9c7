"""The `workbench` command: `demo` does the main job on bundled models, `check` is a gate for copies of a
model, `doctor` says what is installed."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import workbench as wb
from workbench.core import clean, file_name, printable
from workbench.errors import InputError, WorkbenchError

if TYPE_CHECKING:
    from workbench.lab import GateStep

EXTRAS = {
    "torch": ("torch", "networks, their gradients and Grad-CAM"),
    "skops": ("skops", "scikit-learn models from .skops files"),
    "onnx": ("onnxruntime", "ONNX models, for methods that perturb rows"),
    "compress": ("torchao", "copies in real 8-bit and 4-bit numbers"),
    "jupyter": ("jupyterlab", "notebooks and panels"),
    "referees": ("captum", "second opinions on our numbers, with lime"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 1 for a broken budget, 2 after a refusal, or 130 after an interrupt."""
    parser = argparse.ArgumentParser(
        prog="workbench", description="Explain models, and compare why."
    )
    parser.add_argument("--version", action="version", version=f"workbench {wb.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo_parser = commands.add_parser("demo", help="explain and compare the bundled models")
    demo_parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for report and pictures"
    )
    check_parser = commands.add_parser(
        "check",
        help="do copies of a model decide for the same reasons? A gate for continuous integration",
        description="Explain a model and its copies as a TOML file says, and hold them against its budget. "
        "Ends with 0 when it is kept, 1 when it is broken, 2 when the study could not be run. Functions "
        "that the file names are imported from the current directory, and run.",
    )
    check_parser.add_argument("study", type=Path, help="the TOML file; docs/gate.md explains it")
    check_parser.add_argument("--junit", type=Path, help="where to write JUnit XML")
    commands.add_parser("doctor", help="what is installed, and what is possible with it")
    asked = parser.parse_args(arguments)
    try:
        if asked.command == "demo":
            demo(asked.out)
        elif asked.command == "check":
            return check(asked.study, asked.junit)
        else:
            doctor()
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("workbench: stopped", file=sys.stderr)
        return 130
    return 0


def demo(out: Path) -> None:
    """Explain tables and images with bundled models, compare, and write report and pictures to `out`."""
    started = time.perf_counter()
    tables, table_comparison = _tables()
    images, image_comparison = _images()
    results = [*tables, *images]
    out.mkdir(parents=True, exist_ok=True)
    _pictures(results, out)
    from workbench.report import report

    page = out / "report.html"
    report(
        results,
        title="Do they decide for the same reasons?",
        comparisons=(table_comparison, image_comparison),
        path=page,
    )
    print(
        f"\nReport    {page}\nPictures  {out}{os.sep}*.png\n{time.perf_counter() - started:.0f} seconds"
    )


def check(study: Path, junit_file: Path | None) -> int:
    """Run a study file, print what became of its budget, and write it down: 0, 1 or 2."""
    from workbench.lab.gate import gate
    from workbench.lab.junit import failed_junit, junit, table

    started = time.perf_counter()
    if junit_file is not None:
        # A study that is killed must not leave the report of the one before, which may have passed.
        _make_room(junit_file, failed_junit("The study was not run to its end."))
    try:
        (checked,) = (step.checked for step in _told(gate(study)) if step.checked is not None)
    except BaseException as error:  # whatever the study's own functions raise, or exit with
        if junit_file is not None:
            said = str(error) or type(error).__name__
            junit_file.write_text(failed_junit(said), encoding="utf-8")
        if isinstance(error, WorkbenchError | KeyboardInterrupt):
            raise
        # Not a refusal but a failure: without its trace nobody could find it, and 1 would say "broken".
        print(printable(traceback.format_exc()), file=sys.stderr)
        return 2
    print(table(checked))
    if junit_file is not None:
        junit_file.write_text(junit(checked, time.perf_counter() - started), encoding="utf-8")
    return 0 if checked.held else 1


def _make_room(file: Path, until_then: str) -> None:
    """So that a study that ran for minutes has a place to write to.

    Args:
        file: the place.
        until_then: what it holds meanwhile.

    Raises:
        InputError: its folder cannot be made, or is none.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(until_then, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"--junit needs a file that can be written, but {str(file)!r} cannot: {error.strerror}."
        ) from error


def _told(steps: Iterator[GateStep]) -> Iterator[GateStep]:
    """The same steps, with a line for every model that is finished."""
    for step in steps:
        if step.label.endswith("is finished"):
            print(f"{step.done / step.total:4.0%}  {clean(step.label)}", file=sys.stderr)
        yield step


def _tables() -> tuple[list[wb.Attribution], wb.Comparison]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from workbench import data, methods

    train, test = data.breast_cancer("train"), data.breast_cancer("test")
    forest = RandomForestClassifier(150, max_depth=8, random_state=0).fit(
        train.values, train.classes
    )
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    logistic.fit(train.values, train.classes)
    models = [
        wb.wrap(native, name=name, outputs=data.BREAST_CANCER)
        for name, native in (("forest", forest), ("logistic regression", logistic))
    ]
    target = wb.Target("malignant")
    print(f"Breast cancer, {len(test)} test rows")
    for model in models:
        right = (model.scores(test.values).argmax(axis=1) == test.classes).mean()
        print(f"  {model.name:22} {right:6.1%} right")
    exact = wb.explain(models[0], test, methods.TreeSHAP("interventional"), target)
    sampled = list(
        wb.run(
            wb.Study(tuple(models), (methods.PermutationSHAP(budget=24_000),), test[:12], (target,))
        )
    )
    comparison = wb.compare(sampled, reference="forest")
    worst = abs(sampled[0].values - exact.values[:12]).max()
    print(f"  forest, sampled against exact trees: largest difference {worst:.4f} in probability")
    _print_agreement(comparison)
    return [exact, *sampled], comparison


def _images() -> tuple[list[wb.Attribution], wb.Comparison]:
    from workbench import data, methods, models
    from workbench.compare import pointing_game

    nets = tuple(
        wb.load(data.asset(f"{name}.safetensors"), architecture=models.small_cnn)
        for name in ("shapes_cnn", "shapes_shortcut_cnn")
    )
    stamped = data.shapes("test", n=24, shortcut=True)
    print(f"Shapes on photos with a stamp that names the class, {len(stamped)} test images")
    results: list[wb.Attribution] = []
    for method, rows in ((methods.GradCAM(), stamped), (methods.LIME(), stamped[:6])):
        target = wb.Target.true(rows)
        results += wb.run(wb.Study(nets, (method,), rows, (target,)))
    stamp = data.watermark_mask(stamped)
    for net in nets:
        right = (net.scores(stamped.values).argmax(axis=1) == stamped.classes).mean()
        print(f"  {net.name:22} {right:6.1%} right")
    for result in results:
        shape = pointing_game(result).mean()
        corner = pointing_game(result, stamp[: len(result)], tolerance=2).mean()
        name = f"{type(result.method).__name__} of {result.model}"
        print(f"  {name:30} points at the shape {shape:4.0%}, at the stamp {corner:4.0%}")
    comparison = wb.compare(results, reference=nets[0].name)
    _print_agreement(comparison)
    return results, comparison


def _print_agreement(comparison: wb.Comparison) -> None:
    for line in comparison.summary().to_dict("records"):
        print(
            f"  {line['method']}: {line['model']} against {comparison.reference}: "
            f"cosine {line['cosine']:.2f}, top five shared {line['top5']:.0%}"
        )


def _pictures(results: list[wb.Attribution], out: Path) -> None:
    from workbench import draw

    for result in results:
        name = file_name(f"{type(result.method).__name__} {result.model}")
        (out / f"{name}.png").write_bytes(draw.to_png(draw.picture(result, 1)))


def doctor() -> None:
    """Print what is installed and what that allows."""
    print(f"workbench {wb.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for name in (
        "numpy",
        "scipy",
        "pandas",
        "scikit-learn",
        "scikit-image",
        "matplotlib",
        "shap",
        "ipykernel",
    ):
        print(f"  {name:14} {_version(name) or 'not installed'}")
    for extra, (package, purpose) in EXTRAS.items():
        found = _version(package)
        state = f"{package} {found}" if found else f"not installed: pip install -e '.[{extra}]'"
        print(f"  [{extra}] {state} ({purpose})")
    print(f"  Cancel: {_cancel(_version('ipykernel'))}")
    browser = shutil.which("chromium")
    print(f"  browser tests: {'Chromium found' if browser else 'no Chromium, they are skipped'}")


def _cancel(ipykernel: str | None) -> str:
    if ipykernel is None:
        return "without ipykernel there are no panels"
    if int(ipykernel.split(".")[0]) < 7:
        return "the button works while no cell runs; during a cell use Kernel ▸ Interrupt"
    return (
        "the button works while no cell runs and while a cell awaits a job; else Kernel ▸ Interrupt"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
