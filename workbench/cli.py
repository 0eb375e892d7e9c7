"""The `workbench` command: `demo` does the main job on bundled models, `notebooks` copies the curated ones,
`check` is a gate for copies of a model, `doctor` says what is installed."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

import workbench as wb
from workbench.core import clean, encodable, file_name, make_folder, write_whole
from workbench.data.assets import bundled
from workbench.errors import InputError, WorkbenchError
from workbench.printable import spelled

EXTRAS = {
    "torch": ("torch", "networks, their gradients and Grad-CAM"),
    "skops": ("skops", "scikit-learn models from .skops files"),
    "onnx": ("onnxruntime", "ONNX models, for methods that perturb rows"),
    "compress": ("torchao", "copies in real 8-bit and 4-bit numbers"),
    "jupyter": ("jupyterlab", "notebooks and panels"),
    "boosters": ("lightgbm", "models of XGBoost, LightGBM and CatBoost"),
    "referees": ("shap", "second opinions on our numbers, with captum and lime"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 1 for a broken budget, 2 after a refusal, 130 after an interrupt."""
    parser = argparse.ArgumentParser(
        prog="workbench", description="Explain models, and compare why."
    )
    parser.add_argument("--version", action="version", version=f"workbench {wb.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo_parser = commands.add_parser("demo", help="explain and compare the bundled models")
    demo_parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for report and pictures"
    )
    notebooks_parser = commands.add_parser(
        "notebooks", help="copy the curated notebooks to a folder of yours"
    )
    notebooks_parser.add_argument(
        "folder", type=Path, help="made where there is none; nothing in it is overwritten"
    )
    check_parser = commands.add_parser(
        "check",
        help="do copies of a model decide for the same reasons? A gate for continuous integration",
        description="Explain a model and its copies as a TOML file says, and hold them against its budget. "
        "Ends with 0 when it is kept, 1 when it is broken, 2 when the study could not be run. Functions "
        "that the file names are imported from the current directory, and run.",
    )
    check_parser.add_argument("study", type=Path, help="the TOML file; docs/gate.md explains it")
    check_parser.add_argument(
        "--junit",
        type=Path,
        help="where to write JUnit XML; replaces an earlier report, nothing else",
    )
    commands.add_parser("doctor", help="what is installed, and what is possible with it")
    options = parser.parse_args(arguments)
    try:
        if options.command == "demo":
            demo(options.out)
        elif options.command == "notebooks":
            notebooks(options.folder)
        elif options.command == "check":
            return check(options.study, options.junit)
        else:
            doctor()
    except WorkbenchError as error:
        _say(f"workbench: {error}", sys.stderr)
        return 2
    except KeyboardInterrupt:
        _say("workbench: stopped", sys.stderr)
        return 130
    return 0


def demo(out: Path) -> None:
    """Explain tables and images with bundled models, compare, and write report and pictures to `out`."""
    started = time.perf_counter()
    make_folder(out, "--out")
    tables, table_comparison = _tables()
    results, comparisons = list(tables), [table_comparison]
    if find_spec("torch") is None:
        _say(f"Images are left out: their networks need torch. Run: {_pip_line('torch')}")
    else:
        images, image_comparison = _images()
        results += images
        comparisons.append(image_comparison)
    _pictures(results, out)
    from workbench.report import report

    page = out / "report.html"
    report(
        results,
        title="Do they decide for the same reasons?",
        comparisons=comparisons,
        path=page,
    )
    _say(
        f"\nReport    {page}\nPictures  {out}{os.sep}*.png\n{time.perf_counter() - started:.0f} seconds"
    )


def notebooks(folder: Path) -> None:
    """Copy the curated notebooks to `folder`; the files they open are part of the package.

    Raises:
        InputError: one of them is there already, or the folder cannot be written. Nothing is overwritten.
    """
    sources = sorted(bundled("notebooks", holding="01_*.ipynb").glob("*.ipynb"))
    make_folder(folder, "notebooks")
    there = [source.name for source in sources if os.path.lexists(folder / source.name)]
    if there:
        raise InputError(
            f"notebooks copies to a folder that has none of them, but {clean(folder)!r} has {there}. Name "
            "another folder, or move yours away."
        )
    for source in sources:
        write_whole(folder / source.name, source.read_bytes(), "A notebook")
        _say(f"  {folder / source.name}")
    _say(f"Open them with: jupyter lab {shlex.quote(str(folder))}")
    if find_spec("jupyterlab") is None:
        _say(f"JupyterLab is not installed. Run: {_pip_line('jupyter')}")


def check(study: Path, junit_file: Path | None) -> int:
    """Run a study file, then write and print whether its budget is kept; returns 0, 1 or 2.

    The study runs in a process of its own. The JUnit file is written before anything is printed, and the
    exit status is the outcome's, even if nothing can be printed.
    """
    from workbench.lab.apart import run_apart
    from workbench.lab.junit import failed_junit
    from workbench.lab.junit_place import check_place, inputs_of, write_junit
    from workbench.lab.keys import parsed

    def write(text: str) -> None:
        if junit_file is not None:
            write_junit(junit_file, text)

    if junit_file is not None:
        check_place(junit_file, [study])
    try:
        table = parsed(study)
    except InputError as error:
        write(failed_junit(str(error)))
        raise
    if junit_file is not None:
        check_place(junit_file, inputs_of(table, study.parent))
        # A study that is killed must not leave the report of the one before, which may have passed.
        write(failed_junit("The study was not run to its end."))
    try:
        outcome = run_apart(study, lambda text: _say(text, sys.stderr, end=""))
    except (WorkbenchError, KeyboardInterrupt) as error:
        write(failed_junit(str(error) or type(error).__name__))
        raise
    if outcome.held is None:
        write(failed_junit(outcome.reason))
        if outcome.stopped:
            raise KeyboardInterrupt
        _say(outcome.trace or f"workbench: {outcome.reason}", sys.stderr)
        return 2
    try:
        write(outcome.junit)
    finally:
        _say(outcome.table)
    return 0 if outcome.held else 1


def _say(text: str, stream: TextIO | None = None, *, end: str = "\n") -> None:
    """Prints if possible: a closed pipe or a full disk must not change the outcome of a study.

    Args:
        text: the text; characters that the stream cannot show are replaced.
        stream: standard output when left out.
        end: the text after it.
    """
    stream = sys.stdout if stream is None else stream
    try:
        printable = spelled(encodable(text), getattr(stream, "encoding", None))
        print(printable, end=end, file=stream, flush=True)
    except (OSError, ValueError) as error:  # ValueError: the stream is closed
        with suppress(OSError, ValueError, AttributeError):
            # The rest in its buffer would fail again when Python exits, and change the exit status.
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)
        if stream is not sys.stderr and not isinstance(error, BrokenPipeError):
            _say(f"workbench: the outcome could not be printed: {error}", sys.stderr)


def _tables() -> tuple[list[wb.Attribution], wb.Comparison]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from workbench import data, methods

    train, test = data.breast_cancer("train"), data.breast_cancer("test")
    forest = RandomForestClassifier(150, max_depth=8, random_state=0).fit(train.values, train.y)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    logistic.fit(train.values, train.y)
    models = [
        wb.wrap(native, name=name, outputs=data.BREAST_CANCER)
        for name, native in (("forest", forest), ("logistic regression", logistic))
    ]
    target = wb.Target("malignant")
    _say(f"Breast cancer, {len(test)} test rows")
    for model in models:
        right = (model.scores(test.values).argmax(axis=1) == test.y).mean()
        _say(f"  {model.name:22} {right:6.1%} right")
    exact = wb.explain(models[0], test, methods.TreeSHAP("interventional"), target)
    sampled = list(
        wb.run(
            wb.Study(tuple(models), (methods.PermutationSHAP(budget=24_000),), test[:12], (target,))
        )
    )
    comparison = wb.compare(sampled, reference="forest")
    worst = abs(sampled[0].values - exact.values[:12]).max()
    _say(f"  forest, sampled against exact trees: largest difference {worst:.4f} in probability")
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
    _say(f"Shapes on photos with a stamp that names the class, {len(stamped)} test images")
    results: list[wb.Attribution] = []
    for method, rows in ((methods.GradCAM(), stamped), (methods.LIME(), stamped[:6])):
        target = wb.Target.true(rows)
        results += wb.run(wb.Study(nets, (method,), rows, (target,)))
    stamp = data.watermark_mask(stamped)
    for net in nets:
        right = (net.scores(stamped.values).argmax(axis=1) == stamped.y).mean()
        _say(f"  {net.name:22} {right:6.1%} right")
    for result in results:
        shape = pointing_game(result).mean()
        corner = pointing_game(result, stamp[: len(result)], tolerance=2).mean()
        name = f"{type(result.method).__name__} of {result.model}"
        _say(f"  {name:30} points at the shape {shape:4.0%}, at the stamp {corner:4.0%}")
    comparison = wb.compare(results, reference=nets[0].name)
    _print_agreement(comparison)
    return results, comparison


def _print_agreement(comparison: wb.Comparison) -> None:
    for line in comparison.summary().to_dict("records"):
        _say(
            f"  {line['method']}: {line['model']} against {comparison.reference}: "
            f"cosine {line['cosine']:.2f}, top five shared {line['top5']:.0%}"
        )


def _pictures(results: list[wb.Attribution], out: Path) -> None:
    from workbench import draw

    for result in results:
        name = file_name(f"{type(result.method).__name__} {result.model}")
        draw.save(draw.picture(result, 1), out / f"{name}.png")


def doctor() -> None:
    """Print what is installed and what that allows."""
    _say(f"workbench {wb.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for name in (
        "numpy",
        "scipy",
        "pandas",
        "scikit-learn",
        "scikit-image",
        "matplotlib",
        "ipykernel",
    ):
        _say(f"  {name:14} {_version(name) or 'not installed'}")
    for extra, (package, purpose) in EXTRAS.items():
        found = _version(package)
        state = f"{package} {found}" if found else f"not installed: {_pip_line(extra)}"
        _say(f"  [{extra}] {state} ({purpose})")
    _say(f"  Cancel: {_cancel(_version('ipykernel'))}")
    browser = shutil.which("chromium")
    _say(f"  browser tests: {'Chromium found' if browser else 'no Chromium, they are skipped'}")


def _pip_line(extra: str) -> str:
    return f'pip install "explainability-workbench[{extra}]"'


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
