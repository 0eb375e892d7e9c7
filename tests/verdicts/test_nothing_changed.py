"""Where nothing changed but words or roundings, nobody is told that the reasons did."""

import warnings
from collections import Counter

import pytest

import workbench as wb
from tests.verdicts.equal_networks import (
    convolutions,
    equals,
    images,
    perceptron,
    tables,
    wrapped,
)
from workbench.methods import (
    LIME,
    GradCAM,
    IntegratedGradients,
    Occlusion,
    PermutationSHAP,
    TreeSHAP,
)


def said(kind: str, seeds: range) -> Counter[tuple[str, str, str]]:
    """Copy, scope and word, counted over networks that equal their reference."""
    found: Counter[tuple[str, str, str]] = Counter()
    for seed in seeds:
        if kind == "image":
            net, rows = convolutions(seed), images(seed)
            methods = (GradCAM(), Occlusion(window=4, stride=2))
        else:
            net, rows = perceptron(seed), tables(seed)
            methods = (PermutationSHAP(budget=224), LIME(budget=200), IntegratedGradients(steps=16))
        reference = wrapped(net, "reference", rows)
        copies = tuple(equals(net, reference, rows, seed))
        drift = wb.drift(reference, copies, rows, methods, random_weights=False, noise_seeds=1)
        for name in drift.models:
            found[name, "rows like these", drift.verdicts[name]] += 1
            found[name, "these rows", drift.on_rows[name]] += 1
    return found


@pytest.mark.parametrize(("kind", "count"), [("tabular", 14), ("image", 8)])
def test_a_network_in_other_words_is_never_changed_and_preserved_on_its_rows(kind, count):
    found = said(kind, range(count))
    for (name, scope, word), times in found.items():
        if (scope, word) != ("these rows", "changed in part"):
            assert not word.startswith("changed"), (name, scope, word, times)
    for name in ("permuted", "rescaled"):
        assert found[name, "these rows", "preserved"] == count
    # In half precision single rows cross a bend of the network, where a gradient jumps.
    assert found["bfloat16", "these rows", "preserved"] >= count - 1


def test_another_librarys_file_of_the_same_trees_is_not_changed(tmp_path):
    xgboost = pytest.importorskip("xgboost", reason="an extra of the package")
    rows = tables(0, n=30)
    target = (rows.values[:, 0] + rows.values[:, 1] * rows.values[:, 2] > 0).astype(int)
    live = xgboost.XGBClassifier(n_estimators=12, max_depth=3).fit(rows.values, target)
    file = tmp_path / "trees.json"
    live.save_model(file)
    reference = wb.wrap(live, name="live", like=rows)
    loaded = wb.load(file, name="file", like=rows)
    plain = wb.wrap(
        lambda x: live.predict(x, output_margin=True)[:, None], name="function",
        outputs=list(reference.outputs), scale=reference.scale, like=rows,
    )  # fmt: skip
    found = wb.drift(reference, loaded, rows, (TreeSHAP(), Occlusion()), random_weights=False)
    assert found.on_rows == {"file": "preserved"}
    found = wb.drift(reference, plain, rows, Occlusion(), random_weights=False)
    assert found.on_rows == {"function": "preserved"}


def test_the_same_network_through_onnx_is_not_changed():
    torch = pytest.importorskip("torch", reason="an extra of the package")
    pytest.importorskip("onnxruntime", reason="an extra of the package")
    net, rows = perceptron(3), tables(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own use of what torch deprecates
        exported = torch.onnx.export(
            net,
            (torch.zeros(2, 8),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("n")},),
            verbose=False,
        )
    reference = wrapped(net, "torch", rows)
    other = wb.wrap(exported.model_proto, name="onnx", outputs=list("pqrs"), scale="logit")
    methods = (PermutationSHAP(budget=224), LIME(budget=200))
    found = wb.drift(reference, other, rows, methods, random_weights=False)
    assert found.on_rows == {"onnx": "preserved"}
