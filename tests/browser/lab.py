"""A throw-away JupyterLab on this machine, Chromium looking at it, and notebooks to drive."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "chrome", "about:")

SETTINGS = {
    # JupyterLab asks its makers for news and updates otherwise.
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "fetchNews": "false",
        "doNotDisturbMode": True,
    },
    # Cells out of sight are taken out of the page otherwise, and their widgets with them.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--font-render-hinting=none",
]


def chromium_path() -> str | None:
    """Where the system's Chromium is, if it has one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def _end_with_parent() -> None:
    """Linux: the server is asked to end when the tests do, however they end."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Lab:
    """`with Lab(folder, kernels) as lab:` a JupyterLab with settings, kernels and history of its own.

    Args:
        folder: its root.
        kernels: {name: kernel.json}.
    """

    def __init__(self, folder: Path, kernels: Mapping[str, Mapping[str, object]]) -> None:
        self.folder = folder
        self.kernels = kernels
        self.token = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"

    def __enter__(self) -> Lab:
        self._own = tempfile.TemporaryDirectory(prefix="workbench-lab-")
        own = Path(self._own.name)
        places = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        for name in places.values():
            (own / name).mkdir()
        overrides = own / "config" / "labconfig" / "default_setting_overrides.json"
        overrides.parent.mkdir()
        overrides.write_text(json.dumps(SETTINGS))
        for name, spec in self.kernels.items():
            place = own / "data" / "kernels" / name
            place.mkdir(parents=True)
            (place / "kernel.json").write_text(json.dumps(spec))
        environment = os.environ | {key: str(own / name) for key, name in places.items()}
        environment |= {
            "OMP_NUM_THREADS": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self._log_path = own / "lab.log"
        self._log = self._log_path.open("wb")
        port = self.url.rsplit(":", 1)[1]
        self._server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.folder}",
                "--LabApp.expose_app_in_browser=True",
                "--LabApp.news_url=None",
                "--ServerApp.terminals_enabled=False",
            ],
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                log = self._log_path.read_text(errors="replace")[-4000:]
                self.__exit__()
                raise RuntimeError(f"JupyterLab did not start:\n{log}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # asked nicely first: that ends the kernels too
            self._ask("/api/shutdown", "POST", 5)
        try:
            self._server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, signal.SIGKILL)  # the group that was started here
            self._server.wait(5)
        self._log.close()
        self._own.cleanup()

    def _ask(self, path: str, method: str, timeout: float) -> bytes:
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            body: bytes = answer.read()
        return body

    def _answers(self) -> bool:
        try:
            self._ask("/api/status", "GET", 2)
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False
        return True


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A Playwright browser context in a fresh profile; `context.strangers` lists off-host requests."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory(prefix="workbench-chromium-") as profile,
        sync_playwright() as p,
    ):
        context = p.chromium.launch_persistent_context(
            profile,
            executable_path=chromium_path(),
            headless=True,
            args=FLAGS,
            viewport={"width": 1400, "height": 1000},
            reduced_motion="reduce",
        )
        strangers: list[str] = []
        context.on(
            "request",
            lambda request: (
                None if request.url.startswith(LOCAL) else strangers.append(request.url)
            ),
        )
        context.strangers = strangers
        try:
            yield context
        finally:
            context.close()


class Notebook:
    """One notebook open in a page of its own.

    `page.evaluate` has no timeout: every script races with one here, or a lost reply would hang the suite.
    """

    def __init__(self, context: Any, lab: Lab, path: str, *, width: int = 1400) -> None:
        self.page = context.new_page()
        self.page.set_viewport_size({"width": width, "height": 1000})
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self._open(lab, path)
        if not self._listens():
            # ipykernel 7.3 has been seen deaf from its start, now and then and before any code of ours
            # had run. A person restarts the kernel; so does this, once.
            self._script(
                "() => window.jupyterapp.shell.currentWidget.context.sessionContext.session"
                ".kernel.restart()"
            )
            assert self._listens(), "the kernel does not answer, not even after a restart"

    def _open(self, lab: Lab, path: str) -> None:
        room = secrets.token_hex(4)
        self.page.goto(f"{lab.url}/lab/workspaces/{room}/tree/{path}?reset&token={lab.token}")
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
        self.page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.context?.sessionContext?.session?.kernel",
            timeout=60_000,
        )

    def _listens(self) -> bool:
        from playwright.sync_api import Error

        try:
            return self.ask("print('yes')", seconds=20) == "yes"
        except Error:
            return False

    def close(self) -> None:
        """End the kernel, so that it does not take time from the next test, and the page."""
        self._script(
            "() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()"
        )
        self.page.close()

    def wait_until_idle(self, seconds: float = 60) -> None:
        """Wait for the kernel to be there and to have nothing to do."""
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.session?.kernel"
            "?.status === 'idle'",
            timeout=1000 * seconds,
        )

    def command(self, name: str, seconds: float = 60, **arguments: object) -> None:
        """Run a JupyterLab command to its end."""
        self._script(
            "([name, arguments]) => window.jupyterapp.commands.execute(name, arguments).then(() => null)",
            [name, arguments],
            seconds,
        )

    def run_all(self, seconds: float = 120) -> None:
        """Run every cell."""
        self.command("notebook:run-all-cells", seconds)
        self.wait_until_idle(seconds)

    def ask(self, code: str, seconds: float = 20) -> str:
        """What `code` prints in the kernel: the only witness of what Python has heard."""
        printed: str = self._script(
            """async ([code]) => {
              const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
              const future = kernel.requestExecute({code, store_history: false, stop_on_error: false});
              let printed = "";
              future.onIOPub = ({header, content}) => {
                if (header.msg_type === "stream") printed += content.text;
                if (header.msg_type === "error") printed += `${content.ename}: ${content.evalue}`;
              };
              await future.done;
              return printed;
            }""",
            [code],
            seconds,
        )
        return printed.strip()

    def begin(self, code: str) -> None:
        """Run `code` in the kernel and do not wait for it."""
        self._script(
            """([code]) => {
              const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
              kernel.requestExecute({code, store_history: false, stop_on_error: false});
              return null;
            }""",
            [code],
        )

    def wait_for(self, expression: str, wanted: str, seconds: float = 20) -> None:
        """Wait until Python says `wanted` of an expression."""
        deadline = time.monotonic() + seconds
        while (found := self.ask(f"print({expression})")) != wanted:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{expression} should become {wanted!r}, but is {found!r} after {seconds} seconds"
                )
            time.sleep(0.1)

    def theme(self, name: str) -> None:
        """Change the theme, and wait until JupyterLab's splash has gone again."""
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light",
            arg="false" if "Dark" in name else "true",
        )
        self.page.wait_for_function(
            "() => !document.getElementById('jupyterlab-splash')?.getClientRects().length"
        )

    def cells(self) -> int:
        """How many cells there are."""
        count: int = self._script(
            "() => window.jupyterapp.shell.currentWidget.content.model.cells.length"
        )
        return count

    def errors(self) -> list[str]:
        """Every error a cell has ended with, of the notebook itself: shown it is but red text."""
        found: list[str] = self._script(
            "() => window.jupyterapp.shell.currentWidget.content.widgets"
            ".flatMap((cell) => cell.model.outputs?.toJSON() ?? [])"
            ".filter((output) => output.output_type === 'error')"
            ".map(({ename, evalue}) => `${ename}: ${evalue}`)"
        )
        return found

    def _script(self, script: str, argument: object = None, seconds: float = 30) -> Any:
        return self.page.evaluate(
            f"""([argument, milliseconds]) => Promise.race([
              Promise.resolve(({script})(argument)),
              new Promise((_, no) => setTimeout(() => no(new Error("no answer in time")), milliseconds)),
            ])""",
            [argument, 1000 * seconds],
        )
