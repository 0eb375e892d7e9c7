"""AblationCAM of layers that hold their places as tokens or channels last, beside hooks in plain torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import workbench as wb
from tests.models.torch import vision_nets as nets
from workbench.core import Target
from workbench.methods import AblationCAM


def by_hand(net, rows, layer, read, silence):
    """The maps of each target `(k, n, h, w)`, from one run per channel.

    `read` gives the maps in an output; `silence` sets one channel of them to zero, where they are.
    """
    part = dict(net.named_modules())[layer]
    x = torch.from_numpy(np.array(rows.values)).permute(0, 3, 1, 2).float()

    def asked(change):
        kept = []

        def hook(_part, _given, out):
            kept.append(out.clone())
            return change(out.clone())

        handle = part.register_forward_hook(hook)
        with torch.no_grad():
            scores = net(x).double()
        handle.remove()
        return scores, kept[0]

    whole, out = asked(lambda out: out)
    maps = read(out).double()
    less = [whole - asked(lambda out, c=c: silence(out, c))[0] for c in range(maps.shape[1])]
    small = torch.relu(torch.einsum("cnk,nchw->knhw", torch.stack(less), maps))
    return F.interpolate(small, size=rows.values.shape[1:3], mode="bilinear").numpy()


def assert_is(hand, net, rows, layer):
    """Held against the target of which most is left above zero."""
    target = int(hand.max(axis=(1, 2, 3)).argmax())
    assert hand[target].max() > 0
    found = wb.explain(nets.wrapped(net, rows), rows, AblationCAM(layer=layer), Target(target))
    assert np.allclose(found.values, hand[target], rtol=1e-3, atol=1e-5 * hand[target].max())


@pytest.mark.parametrize(("before", "behind"), [(1, 0), (2, 3), (0, 0)])
def test_tokens_that_are_no_places_keep_their_channel(before, behind):
    net, rows = nets.ViT(before=before, behind=behind, reads="mean").eval(), nets.images(2)

    def silence(out, channel):
        out[:, before : before + 16, channel] = 0
        return out

    hand = by_hand(net, rows, "blocks.0", net.places, silence)
    assert_is(hand, net, rows, "blocks.0")


def test_channels_last():
    net, rows = nets.Windows().eval(), nets.images(2)

    def silence(out, channel):
        out[..., channel] = 0
        return out

    hand = by_hand(net, rows, "last", lambda out: out.permute(0, 3, 1, 2), silence)
    assert_is(hand, net, rows, "last")


def test_tokens_first():
    """Of an encoder that has the rows on the second axis."""
    net, rows = nets.Encoder(batch_first=False).eval(), nets.images(2, (32, 48))
    h, w = net.grid

    def silence(out, channel):
        out[1:, :, channel] = 0
        return out

    def read(out):
        return out[1:].permute(1, 2, 0).unflatten(2, (h, w))

    hand = by_hand(net, rows, "encoder.layers.0", read, silence)
    assert_is(hand, net, rows, "encoder.layers.0")
