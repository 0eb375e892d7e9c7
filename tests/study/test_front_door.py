"""The first calls that people make: each equals the explicit call, or is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars
import pytest
import scipy.sparse
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import workbench as wb
from tests.study.forest_on_a_frame import ARRAY, FEW, FOREST, FRAME, LABELS, ON_ARRAY, PATHS
from workbench import data, methods
from workbench.core import Inputs, Target
from workbench.errors import IncompatibleError, InputError, WorkbenchError
from workbench.methods import ExactShapley, Occlusion, TreeSHAP

RNG = np.random.default_rng(0)
MIXED = pd.DataFrame(
    {
        "age": RNG.integers(20, 80, 80),
        "town": RNG.choice(["Rome", "Oslo", "Bonn"], 80),
        "smoker": RNG.random(80) < 0.4,
    }
)
PIPELINE = make_pipeline(
    make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough"),
    LogisticRegression(max_iter=1000),
).fit(MIXED, (MIXED["age"] > 50) | (MIXED["town"] == "Rome"))


def by_name(result) -> dict:
    frame = result.to_frame()
    return {(one.row, one.player): one.value for one in frame.itertuples()}


EXPLICIT = wb.explain(wb.wrap(FOREST), data.table(FEW), PATHS, Target("2"))


class Tensorlike:
    """Something of another library that knows how to become an array."""

    def __array__(self, dtype=None, copy=None):
        return np.array(ARRAY, dtype=dtype)


ROWS = {
    "frame": FEW,
    "frame in another order": FEW[["rate", "age", "dose"]],
    "frame with a column more": FEW.assign(id=range(4)),
    "array": ARRAY,
    "array in Fortran's order": np.asfortranarray(ARRAY),
    "array of objects": ARRAY.astype(object),
    "matrix of numpy": np.asmatrix(ARRAY),
    "list of lists": ARRAY.tolist(),
    "list of arrays": list(ARRAY),
    "tuple of tuples": tuple(map(tuple, ARRAY)),
    "list of dicts": FEW.to_dict("records"),
    "list of dicts in another order": FEW[["rate", "age", "dose"]].to_dict("records"),
    "list of Series": [FEW.iloc[i] for i in range(4)],
    "dict of columns": FEW.to_dict("list"),
    "records of numpy": FEW.to_records(index=False),
    "frame without names": pd.DataFrame(ARRAY),
    "tensor": torch.tensor(ARRAY),
    "tensor that requires grad": torch.tensor(ARRAY, requires_grad=True),
    "sparse tensor": torch.tensor(ARRAY).to_sparse(),
    "masked array without a mask": np.ma.array(ARRAY),
    "something with __array__": Tensorlike(),
    "frame of polars in another order": polars.DataFrame(
        FEW[["rate", "age", "dose"]].to_dict("list")
    ),
    "Inputs without names": Inputs(ARRAY, kind="tabular"),
    "Inputs": data.table(FEW),
}


@pytest.mark.parametrize("given", ROWS)
@pytest.mark.parametrize("live", [False, True])
def test_rows_of_any_form_are_the_same_rows(given, live):
    model = FOREST if live else wb.wrap(FOREST)
    result = wb.explain(model, ROWS[given], PATHS, "2")
    found, wanted = list(by_name(result).values()), list(by_name(EXPLICIT).values())
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(result.output, FOREST.predict_proba(FEW)[:, 1])


@pytest.mark.parametrize(
    "given",
    [
        ARRAY[0],
        FEW.iloc[0],
        ARRAY[0].tolist(),
        FEW.iloc[0].to_dict(),
        torch.tensor(ARRAY[0]),
        FEW[:1],
    ],
)
@pytest.mark.parametrize("live", [False, True])
def test_one_row_needs_no_list(given, live):
    result = wb.explain(FOREST if live else wb.wrap(FOREST), given, PATHS, "2")
    np.testing.assert_array_equal(result.values, EXPLICIT.values[:1])


@pytest.mark.parametrize(
    "given", ["frame", "array", "tensor", "list of lists", "Inputs without names"]
)
def test_a_model_without_names_takes_columns_by_position(given):
    wanted = wb.explain(wb.wrap(ON_ARRAY), Inputs(ARRAY, kind="tabular"), PATHS, Target("2"))
    for model in (ON_ARRAY, wb.wrap(ON_ARRAY)):
        np.testing.assert_array_equal(
            wb.explain(model, ROWS[given], PATHS, "2").values, wanted.values
        )


def xgboost_matrix():
    import xgboost

    return xgboost.DMatrix(ARRAY)


def catboost_pool():
    import catboost

    return catboost.Pool(ARRAY)


def lightgbm_dataset():
    import lightgbm

    return lightgbm.Dataset(ARRAY)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (xgboost_matrix, "Give what it was made from"),
        (catboost_pool, "Give what it was made from"),
        (lightgbm_dataset, "Give what it was made from"),
        (lambda: torch.utils.data.TensorDataset(torch.tensor(ARRAY)), "Give what it was made from"),
        (lambda: None, "Rows are needed .* not None"),
        (lambda: "rows.csv", "not str. A file is read by data.table"),
        (lambda: 3, "not int"),
        (lambda: (row for row in ARRAY), "not generator"),
        (list, "the list is empty"),
        (lambda: {1, 2, 3}, "not set"),
        (lambda: FRAME.groupby("age"), "not DataFrameGroupBy"),
        (lambda: b"rows", "not bytes"),
        (lambda: FEW[:0], "at least one row|At least one row"),
        (lambda: FEW[:3].reset_index(drop=True).T, r"frame\.T"),
        (lambda: ARRAY + 1j, "complex"),
        (lambda: (FEW, LABELS[:4]), "classes as Inputs"),
        (lambda: FEW[["age", "dose"]], "'rate'"),
        (lambda: FEW.rename(columns={"age": "years"}), "'age'"),
        (lambda: ARRAY[:, :2], "3"),
        (lambda: FEW["age"], "'dose'"),
        (lambda: np.zeros((2, 3, 4)), r"\(2, 3, 4\)|but the rows have \[\]"),
    ],
)
@pytest.mark.parametrize("live", [False, True])
def test_what_holds_no_rows_of_the_model_is_refused_in_words(rows, words, live):
    with pytest.raises(WorkbenchError, match=words):
        wb.explain(FOREST if live else wb.wrap(FOREST), rows(), PATHS, "2")


def test_a_sparse_matrix_is_the_same_rows_or_refused():
    rows = scipy.sparse.csr_matrix(ARRAY)
    try:
        found = wb.explain(wb.wrap(FOREST), rows, PATHS, "2")
    except InputError:
        return
    np.testing.assert_array_equal(found.values, EXPLICIT.values)


@pytest.mark.parametrize("picked", [slice(0, 3), slice(0, 1), slice(5, 9)])
def test_labels_reach_a_pipeline_as_labels_whatever_rows_are_there(picked):
    few = MIXED[picked]
    wanted = PIPELINE.predict_proba(few)[:, 1]
    known = wb.wrap(PIPELINE, like=data.table(MIXED, background=MIXED[:9]))
    for rows in (few, few[["smoker", "town", "age"]], few.to_dict("records"), few.to_dict("list")):
        result = wb.explain(
            known, rows, ExactShapley(), True
        )  # background of the rows it was wrapped for
        np.testing.assert_allclose(result.output, wanted, rtol=1e-12)
        live = wb.explain(PIPELINE, rows, Occlusion(fill="zero"), True)
        np.testing.assert_allclose(live.output, wanted, rtol=1e-12)


def test_labels_never_become_codes_that_only_the_author_of_the_model_knows():
    codes = {"Rome": 0, "Oslo": 1, "Bonn": 2}  # neither sorted, nor in the order of the rows
    coded = MIXED.assign(town=MIXED["town"].map(codes), smoker=MIXED["smoker"].astype(int))
    forest = RandomForestClassifier(5, random_state=0).fit(coded.to_numpy(), MIXED["age"] > 50)
    for model in (forest, wb.wrap(forest)):
        with pytest.raises(WorkbenchError, match=r"columns \['town'\] hold labels"):
            wb.explain(model, MIXED[:3], PATHS, True)


def test_numbers_that_may_be_labels_or_their_positions_are_refused_without_names():
    graded = pd.DataFrame({"grade": pd.Categorical([5, 9, 5, 9] * 20), "x": RNG.normal(size=80)})
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["grade"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(graded, graded["grade"].astype(int) == 9)
    model = wb.wrap(pipeline, like=data.table(graded, background=graded[:4]))
    found = wb.explain(model, graded[:2], ExactShapley(), True)
    np.testing.assert_allclose(found.output, pipeline.predict_proba(graded[:2])[:, 1], rtol=1e-12)
    with pytest.raises(InputError, match="may hold these or their positions"):
        wb.explain(model, [[5, 0.1], [9, 0.2]], ExactShapley(), True)


@pytest.mark.parametrize(
    "given", [TreeSHAP, "TreeSHAP", "treeshap", "tree shap", "tree_shap", "Tree-SHAP", TreeSHAP()]
)
def test_a_method_is_a_recipe_its_class_or_its_name(given):
    rows = data.table(FEW, background=FRAME[:9])
    found = wb.explain(FOREST, rows, given, "2")
    assert found.method == TreeSHAP()
    wanted = wb.explain(wb.wrap(FOREST), rows, TreeSHAP(), Target("2"))
    np.testing.assert_array_equal(found.values, wanted.values)


@pytest.mark.parametrize(
    "given", ["shap", "", "captum", 3, methods, [TreeSHAP()], len, object(), dict]
)
def test_what_is_no_method_is_refused_in_words(given):
    with pytest.raises(WorkbenchError, match=r"There is no method|A method is a recipe"):
        wb.explain(FOREST, data.table(FEW), given)


def test_an_unknown_method_names_the_known_ones():
    with pytest.raises(InputError, match="KernelSHAP"):
        wb.explain(FOREST, data.table(FEW), "shap")


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("shap", "TreeSHAP, PermutationSHAP, KernelSHAP, ExactShapley, GradientSHAP"),
        ("integrated gradient", "IntegratedGradients"),
        ("cam++", "GradCAMPlusPlus"),
        ("permutation shape", "PermutationSHAP"),
        ("tree-sharp", "TreeSHAP, KernelSHAP"),
    ],
)
def test_a_name_that_is_nearly_a_methods_names_those_it_may_be(given, near):
    with pytest.raises(InputError) as caught:
        wb.explain(FOREST, data.table(FEW), given)
    assert str(caught.value).endswith(f"Its name may be one of these: {near}.")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("Grad-CAM", "GradCAM"),
        ("Grad-CAM++", "GradCAMPlusPlus"),
        ("gradcam++", "GradCAMPlusPlus"),
        ("Input × Gradient", "InputXGradient"),
        ("input*gradient", "InputXGradient"),
    ],
)
def test_signs_in_a_methods_name_count(given, meant):
    with pytest.raises(IncompatibleError, match=f"^{meant} (explains image|needs the model's)"):
        wb.explain(FOREST, data.table(FEW), given)


def test_a_live_model_that_must_be_told_more_says_what():
    with pytest.raises(
        InputError, match=r"needs outputs=\[\.\.\.\].*workbench\.wrap\(model, like=rows"
    ):
        wb.explain(FOREST.predict_proba, FEW.to_numpy(), PATHS)
    with pytest.raises(IncompatibleError, match="is needed, but got a dict"):
        wb.explain({}, FEW, PATHS)
    with pytest.raises(WorkbenchError, match=r"workbench\.load"):
        wb.explain("model.pt", FEW, PATHS)
    with pytest.raises(InputError, match="fitted"):
        wb.explain(RandomForestClassifier(), FEW, PATHS)


def test_a_live_model_can_be_asked_again_by_a_second_opinion():
    result = wb.explain(FOREST, FEW, PATHS, "2")
    assert wb.cross_check(result).agrees


def test_a_module_is_wrapped_for_images_and_for_tables():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 2)).eval()
    for rows in (FEW, ARRAY, torch.tensor(ARRAY, requires_grad=True)):
        found = wb.explain(net, rows, Occlusion(fill="zero"), 1)
        wanted = net(torch.tensor(ARRAY, dtype=torch.float32)).detach().numpy()[:, 1]
        np.testing.assert_allclose(found.output, wanted, rtol=1e-6)
    cnn = torch.nn.Sequential(
        torch.nn.Conv2d(3, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    images = RNG.random((2, 9, 8, 3), dtype=np.float32)
    found = wb.explain(cnn.eval(), images, "grad cam", 0)
    wanted = cnn(torch.tensor(images).permute(0, 3, 1, 2)).detach().numpy()[:, 0]
    np.testing.assert_allclose(found.output, wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("study", "words"),
    [
        (lambda: wb.Study(FOREST, (PATHS,), data.table(FEW)), "needs Model objects"),
        (
            lambda: wb.Study((wb.wrap(FOREST),), (PATHS,), FEW),
            "needs Inputs, but was given a DataFrame",
        ),
        (lambda: wb.Study((wb.wrap(FOREST),), (TreeSHAP,), data.table(FEW)), "Call the class"),
        (
            lambda: wb.Study((wb.wrap(FOREST),), (PATHS,), data.table(FEW), (1,)),
            r"Write Target\(1\)",
        ),
        (
            lambda: wb.Study((wb.wrap(FOREST),), (PATHS,), data.table(FEW), "2"),
            r"Write Target\('2'\)",
        ),
        (lambda: list(wb.run(wb.wrap(FOREST))), "A Study is needed, not a Model"),
        (lambda: wb.plan(FOREST), "A Study is needed, not a RandomForestClassifier"),
    ],
)
def test_a_study_of_other_things_is_refused_in_words(study, words):
    with pytest.raises(InputError, match=words):
        study()


def test_a_study_takes_one_model_method_and_target_without_a_list():
    study = wb.Study(wb.wrap(FOREST), PATHS, data.table(FEW), Target("2"))
    (found,) = wb.run(study)
    np.testing.assert_array_equal(found.values, EXPLICIT.values)


def test_drift_takes_what_explain_takes():
    other = RandomForestClassifier(5, random_state=1, max_depth=3).fit(FRAME, LABELS)
    model, copy = wb.wrap(FOREST, name="first"), wb.wrap(other, name="second")
    wanted = wb.drift(model, [copy], data.table(FRAME), [PATHS], target=Target("2"))
    found = wb.drift(model, copy, FRAME, PATHS, target="2")
    pd.testing.assert_frame_equal(found.to_frame(), wanted.to_frame())
    with pytest.raises(InputError, match="explains one output"):
        wb.drift(model, copy, FRAME, PATHS, target="all")
    with pytest.raises(InputError, match="different names"):  # a forest is one model, not its trees
        wb.drift(FOREST, other, FRAME, PATHS)


def as_module():
    import workbench.compare as it

    return it


def as_function():
    from workbench import compare as it

    return it


@pytest.mark.parametrize("imported", [as_module, as_function])
def test_compare_is_a_module_and_a_function(imported):
    it = imported()
    assert it.pointing_game is wb.compare.pointing_game
    rows = data.table(FEW)
    results = [wb.explain(wb.wrap(FOREST, name=name), rows, PATHS, "2") for name in ("one", "two")]
    assert set(
        it(results, reference="one").to_frame().query("metric == 'cosine'")["value"].round(12)
    ) == {1.0}


def test_compare_takes_a_model_as_reference_and_refuses_what_is_no_attribution():
    rows, first, second = data.table(FEW), wb.wrap(FOREST, name="one"), wb.wrap(FOREST, name="two")
    results = [wb.explain(model, rows, PATHS, "2") for model in (first, second)]
    assert wb.compare(results, first).rows == wb.compare(results, "one").rows
    for given, found in (
        ([first], "Model"),
        (first, "Model"),
        (FEW, "DataFrame"),
        (None, "NoneType"),
    ):
        with pytest.raises(InputError, match=f"compare needs attributions, .* {found}"):
            wb.compare(given, "one")
    with pytest.raises(InputError, match="second model"):
        wb.compare(results[0], "one")
