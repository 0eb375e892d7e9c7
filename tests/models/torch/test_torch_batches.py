"""How many rows a torch module takes at a time, and how they lie in memory."""

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.errors import ModelError
from workbench.models.asking import batches as torch_batches
from workbench.models.asking.batches import Batches


class Clock:
    """A module's cost per batch as if measured: a fixed part and so much per row."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds, self.sizes = 0.0, seconds, []
        monkeypatch.setattr(torch_batches.time, "perf_counter", lambda: self.now)

    def work(self, part):
        size = part.stop - part.start
        self.sizes.append(size)
        self.now += self.seconds(size)
        return (torch.arange(part.start, part.stop),)


@pytest.mark.parametrize(
    ("seconds", "best"),
    [(lambda n: 1.0 + n, 32), (lambda n: n * n, 8), (lambda n: abs(n - 16) + n, 16)],
    ids=["a call is dear", "rows get dearer", "in between"],
)
def test_the_batch_size_is_tried_on_rows_that_had_to_be_done(monkeypatch, seconds, best):
    clock = Clock(monkeypatch, seconds)
    batches = Batches("m", None)
    results = batches.over(400, clock.work, ("scores",), tried=(8, 16, 32))
    assert clock.sizes[:9] == [8] * 3 + [16] * 3 + [32] * 3
    assert set(clock.sizes[9:-1]) == {best}
    assert np.concatenate([part for (part,) in results]).tolist() == list(range(400))
    clock.sizes.clear()
    batches.over(best, clock.work, ("scores",), tried=(8, 16, 32))
    assert clock.sizes == [best]


def test_each_sort_of_work_has_its_own_best_size(monkeypatch):
    clock = Clock(monkeypatch, lambda n: n * n)
    batches = Batches("m", None)
    batches.over(400, clock.work, ("scores",), tried=(8, 16, 32))
    clock.sizes.clear()
    batches.over(40, clock.work, ("slopes",), tried=(8, 16, 32))
    assert clock.sizes == [8, 8, 8, 16]


def test_a_batch_that_was_not_full_says_nothing_about_its_size(monkeypatch):
    clock = Clock(monkeypatch, lambda n: n)
    batches = Batches("m", None)
    for _ in range(5):
        batches.over(3, clock.work, ("scores",), tried=(8, 16, 32))
    batches.over(24, clock.work, ("scores",), tried=(8, 16, 32))
    assert clock.sizes == [3] * 5 + [8] * 3


def test_nothing_is_tried_where_a_size_is_given_or_there_is_no_choice(monkeypatch):
    clock = Clock(monkeypatch, lambda n: n)
    Batches("m", 5).over(12, clock.work, ("scores",), tried=(8, 16, 32))
    Batches("m", None).over(5000, clock.work, ("scores",), tried=())
    assert clock.sizes == [5, 5, 2, 4096, 904]


@pytest.mark.parametrize(
    ("shape", "wanted"), [((5, 4, 4, 3), (8, 16, 32)), ((5, 6), (1024, 2048, 4096))]
)
def test_on_a_cpu_small_batches_are_tried_for_images_and_for_tables(monkeypatch, shape, wanted):
    asked = []
    original = Batches.over

    def over(self, count, work, kind, *, tried):
        asked.append(tried)
        return original(self, count, work, kind, tried=tried)

    monkeypatch.setattr(Batches, "over", over)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(2))
    net(torch.zeros(shape).movedim(-1, 1) if len(shape) == 4 else torch.zeros(shape))
    kind = "image" if len(shape) == 4 else "tabular"
    wb.wrap(net, outputs=["a", "b"], scale="logit", kind=kind).scores(np.zeros(shape))
    assert set(asked) == {wanted}


@pytest.mark.parametrize(
    ("kind", "width", "rows"),
    [("tabular", 10, 16_384), ("tabular", 1100, 4096), ("image", 10, 32), (None, 10, 32)],
)
def test_small_networks_on_tables_take_more_rows_at_once(kind, width, rows):
    net = torch.nn.Linear(width, 1000)  # 1100 x 1000 weights are more than 2**20
    assert torch_batches.rows_per_call(net, kind) == rows


class Viewing(torch.nn.Module):
    """Flattens with `view`, which refuses images that lie channels last in memory."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.seen = []

    def forward(self, images):
        self.seen.append(images.is_contiguous())
        return self.conv(images).view(len(images), -1)[:, :2]


def test_images_come_channels_last_in_memory_unless_the_module_cannot_read_them():
    torch.manual_seed(0)
    net = Viewing().eval()
    rows = np.random.default_rng(0).random((5, 8, 8, 3)).astype(np.float32)
    model = wb.wrap(net, outputs=["a", "b"], scale="raw", like=wb.Inputs(rows, kind="image"))
    net.seen.clear()
    model.scores(rows)
    assert net.seen == [False, True]  # tried once, then as it asked
    expected = net(torch.from_numpy(rows).permute(0, 3, 1, 2).contiguous()).detach().numpy()
    net.seen.clear()
    np.testing.assert_allclose(model.scores(rows), expected, rtol=1e-5, atol=1e-6)
    assert net.seen == [True]


def test_few_images_come_channels_first_in_memory():
    """One image through ResNet-18 took 47 ms so and 84 ms the other way; four took 188 and 178."""
    net = Viewing().eval()
    rows = np.random.default_rng(0).random((3, 8, 8, 3)).astype(np.float32)
    wb.wrap(net, outputs=["a", "b"], scale="logit", kind="image").scores(rows)
    assert net.seen[-1:] == [True]


def test_an_error_of_the_module_itself_is_not_tried_again():
    class Broken(torch.nn.Module):
        broken = False
        calls: list[int] = []  # noqa: RUF012 - a number would be put back with the module

        def forward(self, images):
            self.calls.append(len(images))
            if self.broken:
                raise RuntimeError("broken inside")
            return images.mean(dim=(2, 3))[:, :2]

    net = Broken()
    rows = np.ones((1, 4, 4, 3))
    model = wb.wrap(net, outputs=["a", "b"], scale="logit", like=wb.Inputs(rows, kind="image"))
    net.broken = True
    net.calls.clear()
    with pytest.raises(ModelError, match="broken inside"):
        model.scores(rows)
    assert net.calls == [1]


def test_where_steadiness_is_asked_for_no_size_is_chosen_by_the_clock(monkeypatch):
    clock = Clock(monkeypatch, lambda n: n * n)
    batches = Batches("m", None)
    for _ in range(2):  # before any size has proved the fastest, and after
        clock.sizes.clear()
        with torch_batches.steady_batches():
            batches.over(200, clock.work, ("scores",), tried=(8, 16, 32))
        assert clock.sizes == [16] * 12 + [8]
        batches.over(400, clock.work, ("scores",), tried=(8, 16, 32))
    assert clock.sizes[-2] == 8  # outside, the fastest still is
    assert batches.size is None


def test_steadiness_ends_with_its_block_also_by_an_error(monkeypatch):
    clock = Clock(monkeypatch, lambda n: 1.0 + n)
    with pytest.raises(KeyError), torch_batches.steady_batches():
        raise KeyError
    Batches("m", None).over(16, clock.work, ("scores",), tried=(8, 16, 32))
    assert clock.sizes == [8, 8]
