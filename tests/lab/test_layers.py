"""One layer at a time: the layer that was changed is the one that is named."""

import copy

import numpy as np
import pytest

import workbench as wb
from tests.lab.networks import biopsies, bundled, trained
from tests.lab.rows_by_hand import network, table
from workbench import data, variants
from workbench.compare import drift_per_row
from workbench.errors import IncompatibleError, InputError
from workbench.lab import responsible_layers
from workbench.methods import GradCAM, IntegratedGradients, Occlusion
from workbench.models.torch.module import remade

METHOD = IntegratedGradients(steps=8)


def with_changed(model, layers):
    """A copy of the model whose named layers lost their first half of weights."""
    import torch

    module = copy.deepcopy(model.native)
    with torch.no_grad():
        for name in layers:
            weight = module.get_submodule(name).weight
            weight[: len(weight) // 2] = 0.0
    return remade(model, module, name="copy")


def test_the_only_layer_that_changed_is_responsible_for_all():
    model, inputs = trained(), biopsies(20)
    (found,) = responsible_layers(model, with_changed(model, ["2"]), inputs, METHOD)
    assert (found.layer, found.kind) == ("2", "Linear")
    assert found.drift == found.whole > 0
    assert found.change > 0


def test_the_change_is_the_largest_of_any_score_whichever_way_it_moved():
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Linear(4, 1))
    model = wb.wrap(module, name="net", outputs=["y"], scale="raw")
    lowered = copy.deepcopy(module)
    with torch.no_grad():
        lowered[1].bias -= 3.0  # every score falls by as much
    (found,) = responsible_layers(
        model, remade(model, lowered, name="copy"), table(), METHOD, target=wb.Target(0)
    )
    assert found.layer == "1"
    assert found.change == pytest.approx(3.0, rel=1e-5)  # float32
    assert found.drift == 0  # a constant explains nothing


def test_layers_are_ranked_by_the_drift_that_each_makes_alone():
    model, inputs = trained(), biopsies(20)
    copy = with_changed(model, ["0", "2"])
    found = responsible_layers(model, copy, inputs, METHOD, target=wb.Target(0), metric="distance")
    assert isinstance(found, tuple)
    assert {one.layer for one in found} == {"0", "2"}
    assert [one.drift for one in found] == sorted((one.drift for one in found), reverse=True)
    alone = with_changed(model, ["0"])
    first, second = (wb.explain(one, inputs, METHOD, wb.Target(0)) for one in (model, alone))
    expected = drift_per_row("distance", first, second)
    (mine,) = [one for one in found if one.layer == "0"]
    # Same weights, same points: single precision may round by the batch it comes in.
    assert mine.drift == pytest.approx(expected.mean(), rel=1e-4)
    assert mine.largest == pytest.approx(expected.max(), rel=1e-4)


def test_quantized_layers_bring_their_activations_along_and_the_models_stay_as_they_were():
    import torch

    model, inputs = trained(), biopsies(20)
    before = {name: value.clone() for name, value in model.native.state_dict().items()}
    copy = variants.fake_quantize(model, biopsies(40), weight_bits=3)
    scores = copy.scores(inputs.values)
    found = responsible_layers(model, copy, inputs, Occlusion())  # 3 bits have no gradient to trust
    assert {one.layer for one in found} == {"0", "2", "4"}
    assert all(one.drift > 0 and one.change > 0 for one in found)
    assert np.array_equal(copy.scores(inputs.values), scores)
    assert all(
        torch.equal(before[name], value) for name, value in model.native.state_dict().items()
    )


def test_pruned_convolutions_are_told_apart_on_images():
    model = bundled("shapes_cnn")
    copy = variants.prune(model, 0.7)
    found = responsible_layers(model, copy, data.shapes("test", n=4), GradCAM())
    kinds = {one.kind for one in found}
    assert "Conv2d" in kinds
    assert "BatchNorm2d" not in kinds
    pruned = [m for m in model.native.modules() if type(m).__name__ in ("Conv2d", "Linear")]
    assert len(found) == len(pruned)


def test_a_copy_that_changed_nothing_has_no_responsible_layer():
    model = trained()
    with pytest.raises(InputError, match="no layer that differs"):
        responsible_layers(model, with_changed(model, []), biopsies(4), METHOD)


def test_layers_of_other_shapes_names_or_precision_are_refused():
    model, inputs = trained(), biopsies(4)
    folded = variants.fold_batch_norm(bundled("shapes_cnn"))
    with pytest.raises(IncompatibleError, match="same names, shapes and precision"):
        responsible_layers(bundled("shapes_cnn"), folded, data.shapes("test", n=2), GradCAM())
    with pytest.raises(IncompatibleError, match=r"'0' of .* is not the original's"):
        responsible_layers(model, variants.cast(model, "bfloat16"), inputs, METHOD)
    with pytest.raises(IncompatibleError, match="needs a model made from a torch module"):
        responsible_layers(network(), model, inputs, METHOD)
