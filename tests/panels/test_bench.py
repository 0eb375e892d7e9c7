"""The bench: by name, replaceable, watched."""

import pytest

from workbench.core import Target
from workbench.errors import InputError
from workbench.methods import Occlusion
from workbench.panels import Bench
from workbench.study.run import explain


def test_things_lie_there_by_name_in_order(linear, table, four):
    bench = Bench([linear, linear.renamed("other")], {"six": table, "four": four})
    assert list(bench.models) == ["linear", "other"]
    assert list(bench.inputs) == ["six", "four"]
    assert bench.inputs["six"] is table


def test_rows_without_a_mapping_have_their_own_name(table):
    assert list(Bench(inputs=[table]).inputs) == [table.name]


def test_the_same_name_again_replaces(linear, table):
    bench = Bench([linear])
    other = linear.renamed("linear")
    bench.add_model(other)
    assert bench.models["linear"] is other
    assert len(bench.models) == 1


def test_what_is_given_out_cannot_change_the_bench(linear):
    bench = Bench([linear])
    with pytest.raises(TypeError):
        bench.models["x"] = linear


def test_watchers_hear_every_change_until_they_stop(linear, four):
    bench, heard = Bench(), []
    stop = bench.watch(lambda: heard.append((len(bench.models), len(bench.results))))
    bench.add_model(linear)
    bench.add_inputs(four)
    bench.add_results([explain(linear, four, Occlusion(), Target(0))])
    assert heard == [(1, 0), (1, 0), (1, 1)]
    stop()
    stop()
    bench.add_model(linear)
    assert len(heard) == 3


def test_code_says_how_a_thing_was_made_or_where_it_lies(linear, four):
    bench = Bench([linear])
    bench.add_inputs(four, "four", code="data.digits('test')")
    assert bench.code("models", "linear") == "bench.models['linear']"
    assert bench.code("inputs", "four") == "data.digits('test')"
    bench.add_inputs(four, "four")
    assert bench.code("inputs", "four") == "bench.inputs['four']"


@pytest.mark.parametrize("wrong", [None, "model.pt", lambda rows: rows])
def test_what_is_no_model_is_refused_with_the_way_out(wrong):
    with pytest.raises(InputError, match=r"workbench.wrap"):
        Bench([wrong])


def test_what_is_no_rows_is_refused_with_the_way_out():
    with pytest.raises(InputError, match=r"workbench.data.table"):
        Bench(inputs=[[1.0, 2.0]])


def test_the_bundled_network_is_a_known_architecture():
    bench = Bench(architectures={"mine": object})
    assert list(bench.architectures) == ["small_cnn", "mine"]
