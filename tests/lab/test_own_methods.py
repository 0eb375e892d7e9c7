"""A method of the user's own: named in a study like a model, refused in one sentence where it is none."""

import sys
import textwrap
from dataclasses import dataclass

import numpy as np
import pytest

import workbench as wb
from tests.lab.rows_by_hand import linear, table
from workbench.core import Estimate, Progress
from workbench.errors import IncompatibleError, InputError
from workbench.lab import read_study

MODULE = """
    import numpy as np
    from dataclasses import dataclass
    from tests.lab.rows_by_hand import linear, table
    from workbench.core import Estimate, Progress

    def together():
        return linear("net", 1, 2, 3, 4, 5, 6), linear("copy", 6, 5, 4, 3, 2, 1), table()

    @dataclass(frozen=True)
    class Own:
        scale: float = 1.0
        needs, kinds, additive, source = (), ("tabular",), False, "ours"

        def attribute(self, model, inputs, targets):
            values = self.scale * np.stack([inputs.values] * len(targets))
            flat = np.zeros(values.shape[:2])
            yield Progress(1, 1, lambda: Estimate(values, flat, flat))

    def made(factor):
        return Own(2.0 * factor)

    class Loud:
        def __init__(self):
            raise OSError("no licence")

    class Bare:
        def attribute(self, model, inputs, targets):
            yield

    def nothing():
        return None
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Reads a study whose method is given by its keys."""
    module = f"methods_of_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{module}.py").write_text(textwrap.dedent(MODULE), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def read(name, more=""):
        text = f'factory = "{module}:together"\n[[methods]]\nname = "{module}:{name}"\n{more}\n'
        (tmp_path / "study.toml").write_text(text, encoding="utf-8")
        return read_study(tmp_path / "study.toml")[0]

    yield read
    sys.modules.pop(module, None)


def test_a_class_and_a_function_make_a_method_with_the_other_keys_as_parameters(study):
    (method,) = study("Own", "scale = 3.0").methods
    assert type(method).__name__ == "Own"
    assert method.scale == 3.0
    assert study("Own").methods[0].scale == 1.0
    assert study("made", "factor = 4").methods[0].scale == 8.0


def test_a_study_by_a_method_of_ones_own_is_computed(study):
    found = study("Own", "scale = 3.0")
    attribution = wb.explain(found.reference, found.inputs, found.methods[0])
    np.testing.assert_array_equal(attribution.values, 3.0 * found.inputs.values)


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("Own", "scael = 3.0", r"has no key 'scael'\. Did you mean 'scale'\?"),
        ("made", "", "must run without an error, but raised TypeError"),
        ("Loud", "", "must run without an error, but raised OSError: no licence"),
        ("Bare", "", r"Bare has no \['needs', 'kinds', 'additive'\]"),
        ("nothing", "", "A method is a recipe .* not None"),
        ("nobody", "", "has no function 'nobody'"),
    ],
)
def test_what_makes_no_method_is_one_sentence(study, name, more, words):
    with pytest.raises(InputError, match=words):
        study(name, more)


@dataclass(frozen=True)
class Good:
    needs, kinds, additive, source = (), ("tabular",), False, "ours"

    def attribute(self, model, inputs, targets):
        values = np.stack([inputs.values] * len(targets))
        flat = np.zeros(values.shape[:2])
        yield Progress(1, 1, lambda: Estimate(values, flat, flat))


class NoAttribute:
    needs, kinds, additive = (), ("tabular",), False


class NoKinds:
    needs, additive, attribute = (), False, Good.attribute


class NoNeeds:
    kinds, additive, attribute = ("tabular",), False, Good.attribute


class AWord(Good):
    needs = "gradient"


class NoWord(Good):
    kinds = None


class NoCall(Good):
    attribute = 3


class Silent(Good):
    def attribute(self, model, inputs, targets):
        return None


class Numbers(Good):
    def attribute(self, model, inputs, targets):
        yield 3


MALFORMED = [
    (NoAttribute(), r"NoAttribute has no \['attribute'\]"),
    (NoKinds(), r"NoKinds has no \['kinds'\]"),
    (NoNeeds(), r"NoNeeds has no \['needs'\]"),
    (NoCall(), r"NoCall has no \['attribute'\]"),
    (AWord(), "AWord.needs must be a tuple of words, .* not 'gradient'"),
    (NoWord(), "NoWord.kinds must be a tuple of words, .* not None"),
]


@pytest.mark.parametrize(("method", "words"), MALFORMED)
def test_what_is_no_method_is_one_sentence_everywhere(method, words):
    reference, copy, rows = linear("net", 1, 2, 3), linear("copy", 3, 2, 1), table(f=3)
    for ask in (
        lambda: wb.explain(reference, rows, method),
        lambda: wb.Study((reference,), (method,), rows),
        lambda: wb.drift(reference, copy, rows, [method]),
        lambda: wb.plan(wb.Study((reference,), (method,), rows)),
    ):
        with pytest.raises(InputError, match=words):
            ask()


def test_a_drift_study_needs_the_fields_that_a_seed_is_one_of():
    class Plain:
        needs, kinds, additive, attribute = (), ("tabular",), False, Good.attribute

    reference, copy, rows = linear("net", 1, 2, 3), linear("copy", 3, 2, 1), table(f=3)
    assert wb.explain(reference, rows, Plain()).values.shape == rows.values.shape
    with pytest.raises(InputError, match="a Plain must be a dataclass whose fields"):
        wb.drift(reference, copy, rows, Plain())


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Silent(), "Silent.attribute must yield Progress, but gave None"),
        (Numbers(), "Numbers.attribute must yield at least one Progress, but yielded 3"),
    ],
)
def test_a_method_that_gives_something_else_is_one_sentence(method, words):
    reference, copy, rows = linear("net", 1, 2, 3), linear("copy", 3, 2, 1), table(f=3)
    for ask in (
        lambda: wb.explain(reference, rows, method),
        lambda: wb.drift(reference, copy, rows, method),
    ):
        with pytest.raises(IncompatibleError, match=words):
            ask()
