"""Modules with several arguments: rows cut into them, and what that means for gradients and copies."""

import numpy as np
import pytest
import torch

import workbench as wb
from tests.adapters_at_hand import CODES, SPLIT, Tokens, TwoInputs, coded, packed
from workbench import methods, variants
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models import Normalize, Split


def two_inputs():
    torch.manual_seed(1)
    return wb.wrap(TwoInputs(), name="two", preprocess=SPLIT, outputs=list("abc"), scale="logit")


def test_parts_lie_side_by_side_and_images_reach_the_module_channels_first():
    image = np.arange(2 * 4 * 3 * 2.0).reshape(2, 4, 3, 2)
    rows = SPLIT.pack({"age": [[7.0], [8.0]], "image": image})
    assert rows.shape == (2, SPLIT.width) == (2, 25)
    parts = SPLIT(torch.tensor(rows))
    np.testing.assert_array_equal(parts["image"], image.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(parts["age"], [[7.0], [8.0]])
    assert {name: (one.start, one.stop) for name, one in SPLIT.groups.items()} == {
        "image": (0, 24),
        "age": (24, 25),
    }


def test_a_list_of_shapes_is_given_by_position():
    split = Split([2, ()], whole=[1])
    numbers, code = split(torch.tensor([[0.5, 1.5, 3.0]]))
    np.testing.assert_array_equal(numbers, [[0.5, 1.5]])
    assert (code.dtype, code.tolist()) == (torch.int64, [3])
    np.testing.assert_array_equal(split.pack([[[0.5, 1.5]], [3]]), [[0.5, 1.5, 3.0]])


def test_layouts_that_agree_are_equal_and_hash_alike():
    again = Split({"image": (4, 3, 2), "age": (1,)})
    assert (again, hash(again)) == (SPLIT, hash(SPLIT))
    assert again != Split({"image": (4, 3, 2), "age": (1,)}, whole=["age"])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Split({}), "at least one part"),
        (lambda: Split({"a": 0}), "lengths above zero"),
        (lambda: Split({"a": (2, -1)}), "lengths above zero"),
        (lambda: Split({"a": True}), "lengths above zero"),
        (lambda: Split({"a": 2}, whole="a"), "not the text"),
        (lambda: Split({"a": 2}, whole=["b"]), r"whole names \['b'\]"),
        (lambda: SPLIT.pack({"age": [[1.0]]}), r"each of the parts \['image', 'age'\]"),
        (lambda: SPLIT.pack({"age": [[1.0]], "image": np.ones((2, 4, 3, 2))}), "of the shapes"),
        (lambda: SPLIT.pack({"age": [[1.0]], "image": np.ones((1, 2, 4, 3))}), "of the shapes"),
        (lambda: SPLIT(torch.ones(2, 24)), "25 columns are needed"),
    ],
)
def test_layouts_and_arrays_that_do_not_fit_are_named(make, why):
    with pytest.raises(InputError, match=why):
        make()


def test_the_layout_says_the_shape_of_a_row_and_counts_the_outputs():
    model = wb.wrap(TwoInputs(), preprocess=SPLIT)
    assert (model.kind, model.shape, len(model.outputs)) == ("tabular", (25,), 3)


def test_gradients_are_those_of_torch_for_every_part():
    model, rows = two_inputs(), packed()
    weights = np.zeros((1, 3, 3))
    weights[:, :, 1] = 1.0
    _, found = model.gradient(rows.values, weights)
    image = torch.tensor(rows.values[:, :24]).float().reshape(3, 4, 3, 2).permute(0, 3, 1, 2)
    image, age = image.clone().requires_grad_(), torch.tensor(rows.values[:, 24:]).float()
    age.requires_grad_()
    model.native(age=age, image=image)[:, 1].sum().backward()
    expected = np.concatenate([image.grad.permute(0, 2, 3, 1).reshape(3, -1), age.grad], axis=1)
    np.testing.assert_allclose(found[0], expected, atol=1e-7)  # float32 sums of small terms


def test_each_part_is_one_player_and_the_credit_adds_up():
    result = wb.explain(two_inputs(), packed(), methods.ExactShapley(), wb.Target(0))
    assert result.names == ("image", "age")
    np.testing.assert_allclose(result.gap, 0, atol=1e-6)  # float32 scores


def test_whole_numbers_have_no_gradient_and_the_reason_is_told():
    model = wb.wrap(Tokens(), preprocess=CODES, outputs=["a", "b"])
    assert model.gradient is None
    with pytest.raises(IncompatibleError, match="as whole numbers, which have no slope"):
        wb.explain(model, coded(), methods.IntegratedGradients(), wb.Target(0))


def test_a_function_that_makes_whole_numbers_of_some_columns_has_no_gradient_either():
    def cut(batch):
        return {"tokens": batch[:, :3].long(), "town": batch[:, 3].long()}

    model = wb.wrap(Tokens(), preprocess=cut, like=coded())
    assert model.gradient is None
    unseen = wb.wrap(Tokens(), preprocess=cut, outputs=["a", "b"], shape=(None,))
    with pytest.raises(IncompatibleError, match="as whole numbers, which have no slope"):
        unseen.gradient(coded().values, np.ones((1, 3, 2)))


def test_numbers_between_two_codes_are_refused():
    model = wb.wrap(Tokens(), preprocess=CODES, outputs=["a", "b"])
    with pytest.raises(InputError, match=r"'tokens' must hold whole numbers, but a row holds 0\.5"):
        model.scores(np.array([[0.5, 1, 2, 3]]))


def test_codes_beyond_the_reach_of_float32_stay_what_they_are():
    class Odd(torch.nn.Module):
        def forward(self, code):
            return (code % 2).float()

    model = wb.wrap(Odd(), preprocess=Split({"code": ()}, whole=["code"]), outputs=["odd"])
    assert model.scores(np.array([[2.0**24 + 1]])).tolist() == [[1.0]]
    masked = model.masked(
        np.array([2.0**24 + 1]),
        np.zeros((1, 1)),
        np.array([0]),
        np.array([[True], [False]]),
        np.array([0, 0]),
    )
    assert masked.tolist() == [[1.0], [0.0]]


def test_modules_that_need_more_than_the_rows_say_what_to_do():
    with pytest.raises(ModelError, match=r"missing 1 required.*Split\(\{argument: columns\}\)"):
        wb.wrap(TwoInputs(), like=packed())
    embedding = torch.nn.Sequential(torch.nn.Embedding(7, 4), torch.nn.Flatten())
    with pytest.raises(ModelError, match=r"reads whole numbers.*Split\(\[columns\], whole=\[0\]\)"):
        wb.wrap(embedding, like=coded())
    advised = wb.wrap(embedding, like=coded(), preprocess=Split([4], whole=[0]))
    assert len(advised.outputs) == 16


def test_the_layout_and_the_chosen_answer_are_part_of_the_digest():
    module = TwoInputs()
    turned = Split({"image": (3, 4, 2), "age": 1})
    digests = {wb.wrap(module, preprocess=one).digest for one in (SPLIT, turned)}
    assert len(digests) == 2
    linear = torch.nn.Linear(2, 2)
    plain = wb.wrap(linear, outputs=["a", "b"])
    assert plain.digest
    assert wb.wrap(linear, preprocess=Normalize([0, 0], [1, 2])).digest != plain.digest
    assert wb.wrap(linear, preprocess=lambda batch: 2 * batch, outputs=["a", "b"]).digest == ""
    assert wb.wrap(linear, output=0, outputs=["a"], shape=(None,)).digest != plain.digest


def test_copies_that_need_no_graph_keep_the_layout_and_the_others_say_why_not():
    model, rows = two_inputs(), packed()
    for copy in (variants.prune(model, 0.5), variants.cast(model, "bfloat16")):
        assert copy.scores(rows.values).shape == (3, 3)
    for rewrite in (
        lambda: variants.static_graph(model, "export", rows=rows),
        lambda: variants.prune_channels(model, 0.5, rows=rows),
    ):
        with pytest.raises(IncompatibleError, match="reads one tensor, but 'two' reads 2"):
            rewrite()


def test_integrated_gradients_over_two_parts_add_up():
    result = wb.explain(two_inputs(), packed(), methods.IntegratedGradients(), wb.Target(2))
    assert isinstance(result.inputs, Inputs)
    np.testing.assert_allclose(result.gap, 0, atol=2e-3)  # nodes on a network with kinks
