"""Every method's result on every kind of model goes out to a file and comes back equal."""

import numpy as np

import workbench as wb
from tests.contract.test_every_method_on_every_model import every_case, fitted, rows_for
from tests.equal_in_every_bit import assert_equal


@every_case
def test_a_result_goes_out_to_a_file_and_comes_back_equal(make, method, tmp_path):
    model = make()
    result = wb.explain(model, rows_for(model), method, wb.Target(0))
    result.save(tmp_path / "result.safetensors")
    again = wb.read(tmp_path / "result.safetensors")
    assert_equal(result, again)
    if model.combination is not None:
        assert len(again.parts) == 2
        assert all(part.inputs is again.inputs for part in again.parts)


def test_interactions_go_out_to_a_file_and_come_back_equal(tmp_path):
    from sklearn.ensemble import GradientBoostingClassifier

    model = fitted(GradientBoostingClassifier(n_estimators=3, random_state=0))
    rows = rows_for(model)
    result = wb.tree_interactions(model, rows, wb.Target(0))
    result.save(tmp_path / "pairs.safetensors")
    again = wb.read(tmp_path / "pairs.safetensors")
    assert again.values.shape == (4, 6, 6)
    np.testing.assert_array_equal(again.shapley, result.shapley)
    assert_equal(result.inputs, again.inputs)
    assert (again.target, again.seconds) == (result.target, result.seconds)
