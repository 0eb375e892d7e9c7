"""Whatever names and words a file holds, what is said of it is one clean line, and markup stays text."""

import json
import os
import unicodedata

import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.seeds import COLUMNS, network
from workbench.core import escape
from workbench.errors import InputError, UnsafeFileError
from workbench.models import load
from workbench.panels.load.cards import model_html

WORDS = st.text(max_size=30) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "\u202eevil",
        "a\nb",
        "$\\badcmd$",
        "=1+1",
        "__proto__",
        "\x00",
        "'\"><",
    ]
)
QUICK = settings(
    max_examples=60,
    deadline=None,  # the first example imports torch
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def said_of(path) -> str:
    """What a panel shows: the sentence that refuses the file, or the model that came out of it."""
    try:
        return model_html(load(path, architecture=network))
    except (InputError, UnsafeFileError) as error:
        return escape(error, limit=4_000) if is_clean(str(error)) else str(error)


def is_clean(text: str) -> bool:
    return not any(unicodedata.category(ch) in HIDDEN for ch in text) and len(text) < 8_000


@QUICK
@given(names=st.dictionaries(WORDS, st.just(None), min_size=1, max_size=5))
def test_any_names_of_tensors_are_refused_in_one_clean_line(tmp_path, names):
    state = {name: torch.ones(2) for name in names if name != "__metadata__"}
    safetensors.torch.save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "a.pt")
    assert is_clean(said_of(tmp_path / "a.safetensors"))
    assert is_clean(said_of(tmp_path / "a.pt"))


@QUICK
@given(name=WORDS, one=WORDS, other=WORDS, more=st.dictionaries(WORDS, WORDS, max_size=3))
def test_any_words_beside_the_weights_stay_text(tmp_path, name, one, other, more):
    words = more | {"name": name, "outputs": json.dumps([one, other]), "scale": "logit"}
    safetensors.torch.save_file(network().state_dict(), tmp_path / "a.safetensors", metadata=words)
    said = said_of(tmp_path / "a.safetensors")
    assert is_clean(said)
    assert "<script" not in said
    assert "'\"><" not in said


@QUICK
@given(
    words=st.recursive(WORDS | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3))
)
def test_any_json_for_outputs_gives_a_model_or_one_sentence(tmp_path, words):
    stored = {"outputs": json.dumps(words), "shape": json.dumps(words)}
    safetensors.torch.save_file(network().state_dict(), tmp_path / "a.safetensors", metadata=stored)
    assert is_clean(said_of(tmp_path / "a.safetensors"))


@QUICK
@given(name=st.text(min_size=1, max_size=40).filter(lambda name: not set(name) & set("/\x00")))
def test_any_name_of_a_file_is_told_in_one_clean_line(tmp_path, name):
    path = tmp_path / f"{name}.safetensors"
    try:
        safetensors.torch.save_file(network().state_dict(), tmp_path / "a.safetensors")
        os.replace(tmp_path / "a.safetensors", path)
    except (OSError, UnicodeEncodeError):  # no name for a file on this system
        return
    said = said_of(path)
    assert is_clean(said)
    assert f"{COLUMNS}" in said
