"""No code that reads a file can run what is in it, but in the one place that `trust=` leads to."""

import ast
from pathlib import Path

import pytest

import workbench

ROOT = Path(workbench.__file__).parent
ALLOWED = Path("models/intake/vouched.py")
# Whatever unpickles, by the last two names of the call, or by the last one alone.
FORBIDDEN = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "_pickle.loads", "cPickle.load"),
    *("joblib.load", "dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads"),
    *("marshal.load", "marshal.loads", "shelve.open", "pandas.read_pickle", "pd.read_pickle"),
    *(
        "jit.load",
        "export.load",
        "hub.load",
        "package.PackageImporter",
        "yaml.load",
        "yaml.unsafe_load",
    ),
    *("keras.models.load_model", "models.load_model", "imp.load_source", "runpy.run_path"),
}


def _calls(source: str):
    """Every call as (its dotted name, its keyword arguments)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            keywords = {word.arg: word.value for word in node.keywords}
            yield ast.unparse(node.func), keywords


def faults(source: str) -> list[str]:
    """What in a file could run code out of data."""
    found = []
    for name, keywords in _calls(source):
        tail = ".".join(name.split(".")[-2:])
        constants = {word: getattr(value, "value", None) for word, value in keywords.items()}
        if tail in FORBIDDEN:
            found.append(name)
        if name == "torch.load" and constants.get("weights_only") is not True:
            found.append("torch.load without weights_only=True")
        if name.split(".")[-1] in ("load", "fromfile", "memmap") and constants.get("allow_pickle"):
            found.append(f"{name} with allow_pickle")
        if name in ("eval", "exec", "compile", "__import__"):
            found.append(name)
    return found + [
        f"from {node.module} import"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        and node.module in ("pickle", "joblib", "torch.jit", "dill")
    ]


FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", [str(path) for path in FILES if path != ALLOWED])
def test_no_file_of_the_package_can_run_what_it_reads(path):
    assert faults((ROOT / path).read_text()) == []


def test_the_one_place_that_can_is_reached_by_trust_alone():
    assert sorted(faults((ROOT / ALLOWED).read_text())) == [
        "joblib.load",
        "torch.load without weights_only=True",
    ]
    importers = [path for path in FILES if "vouched import" in (ROOT / path).read_text()]
    assert importers == [Path("models/intake/load.py")]
    text = (ROOT / "models/intake/load.py").read_text()
    assert text.count("read_vouched(") == 1
    assert "except UnsafeFileError" not in text  # no refusal leads to another reader


@pytest.mark.parametrize(
    "source",
    [
        "pickle.loads(data)",
        "import pickle\npickle.Unpickler(stream).load()",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=choice)",
        "np.load(path, allow_pickle=True)",
        "torch.jit.load(path)",
        "torch.export.load(path)",
        "from pickle import loads",
        "exec(text)",
    ],
)
def test_the_search_sees_what_it_looks_for(source):
    assert faults(source)


def test_the_search_lets_safe_reading_be():
    assert faults("torch.load(path, weights_only=True)\nnp.load(path)\njson.loads(text)") == []
