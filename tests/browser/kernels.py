"""Three ipykernel releases beside the installed one: widgets' messages take other ways in each.

Each lies in a folder of its own that only its kernelspec puts on the path, over the packages of this
environment. `python -m tests.browser.kernels` makes them ahead of time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RELEASES = ("6.31", "7.3", "7.4")
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "artifacts" / "kernels"


def overlay(release: str) -> Path:
    """The folder that holds one ipykernel release, made on first use."""
    folder = FOLDER / f"ipykernel-{release}"
    if (folder / "ipykernel").is_dir():
        return folder
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as made:
        # nest-asyncio is 6.31's alone; everything else it needs comes with any ipykernel.
        packages = [f"ipykernel=={release}.*", "nest-asyncio>=1.4"]
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--target",
                made,
                *packages,
            ],
            check=True,
        )
        shutil.copytree(made, f"{made}-whole")
        try:
            os.replace(f"{made}-whole", folder)  # whole or not at all, also with two makers
        except OSError:
            shutil.rmtree(f"{made}-whole")
    return folder


def kernelspec(release: str) -> dict[str, object]:
    """A kernel.json that runs this environment's Python with that release, and the package beside it."""
    path = os.pathsep.join([str(overlay(release)), str(ROOT)])
    return {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": f"ipykernel {release}",
        "language": "python",
        "env": {"PYTHONPATH": path, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
    }


if __name__ == "__main__":
    for release in RELEASES:
        overlay(release)
