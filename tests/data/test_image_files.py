"""Image files and arrays become rows as a person sees them, or a sentence that names the file."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from workbench import data
from workbench.errors import InputError


def picture(h: int = 6, w: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size=(h, w, 3), dtype=np.uint8)


@pytest.fixture
def photo(tmp_path):
    def write(name="photo.png", pixels=None, **how):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture() if pixels is None else pixels).save(path, **how)
        return path

    return write


def test_a_folder_is_read_in_natural_order_without_hidden_or_other_files(photo, tmp_path):
    for i, name in enumerate(("img10.png", "img2.png", "IMG1.PNG", ".hidden.png")):
        photo(name, picture(seed=i))
    (tmp_path / "notes.txt").write_text("not an image")
    rows = data.images(tmp_path)
    assert rows.ids == ("IMG1.PNG", "img2.png", "img10.png")
    assert rows.y is None
    assert rows.values.shape == (3, 6, 9, 3)
    assert rows.values.dtype == np.float32
    np.testing.assert_array_equal(rows.values[2], (picture(seed=0) / 255).astype(np.float32))
    assert rows.name == tmp_path.name


def test_subfolders_are_classes_in_alphabetical_order(photo, tmp_path):
    photo("dog/b.png")
    photo("dog/deep/a.png")
    photo("cat/z.png")
    photo(".git/x.png")
    photo("dog/.thumbs/x.png")
    rows = data.images(str(tmp_path), background=np.zeros((2, 6, 9, 3)))
    assert rows.ids == ("cat/z.png", "dog/b.png", "dog/deep/a.png")
    assert rows.y.tolist() == [0, 1, 1]
    assert rows.background.shape == (2, 6, 9, 3)


def test_images_beside_class_folders_are_refused(photo, tmp_path):
    photo("a.png")
    photo("dog/b.png")
    with pytest.raises(InputError, match=r"holds 1 images and subfolders \['dog'\]"):
        data.images(tmp_path)


def test_a_folder_without_images_says_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"holds none.*notes\.txt"):
        data.images(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        data.images(tmp_path / "gone")
    with pytest.raises(InputError, match="list of files"):
        data.images(tmp_path / "notes.txt")


def test_linked_folders_are_not_entered_and_pipes_are_not_opened(photo, tmp_path):
    photo("dog/b.png")
    (tmp_path / "dog" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "cat").symlink_to(tmp_path / "dog", target_is_directory=True)
    (tmp_path / "dog" / "linked.png").symlink_to(tmp_path / "dog" / "b.png")
    (tmp_path / "dog" / "broken.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "dog" / "pipe.png")
    assert data.images(tmp_path).ids == ("dog/b.png", "dog/linked.png")
    with pytest.raises(InputError, match="not a regular file"):
        data.images([tmp_path / "dog" / "pipe.png"])
    with pytest.raises(InputError, match="does not exist"):
        data.images([tmp_path / "dog" / "broken.png"])


def test_a_photo_is_turned_upright_as_its_exif_tag_says(photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the first row is the right column
    rows = data.images([photo(exif=exif)])
    np.testing.assert_array_equal(
        rows.values[0], (np.rot90(picture(), -1) / 255).astype(np.float32)
    )


def test_gray_palette_and_deep_images_become_colors(photo, tmp_path):
    gray = picture()[:, :, 0]
    deep = gray.astype(np.uint16) * 257
    Image.fromarray(picture()).quantize(256).save(tmp_path / "palette.png")
    rows = data.images([photo("gray.png", gray), photo("deep.png", deep), tmp_path / "palette.png"])
    expected = np.repeat(gray[:, :, None] / 255, 3, axis=2)
    np.testing.assert_allclose(rows.values[0], expected, atol=1e-7)  # float32
    np.testing.assert_allclose(rows.values[1], expected, atol=1e-7)  # float32
    assert rows.values[2].std() > 0.1


def test_transparent_pixels_need_a_matte_and_opaque_ones_do_not(photo):
    clear = np.dstack([picture(), np.full((6, 9), 255, np.uint8)])
    np.testing.assert_array_equal(
        data.images([photo("a.png", clear)]).values[0], (picture() / 255).astype(np.float32)
    )
    clear[2, 3, 3] = 0
    path = photo("b.png", clear)
    with pytest.raises(InputError, match=r"b\.png' has transparent pixels.*matte=1\.0"):
        data.images([path])
    assert data.images([path], matte=0.25).values[0, 2, 3].tolist() == [0.25] * 3
    with pytest.raises(InputError, match="matte"):
        data.images([path], matte=255)


def test_different_sizes_are_listed_and_resizing_must_be_asked_for(photo, tmp_path):
    photo("a.png")
    photo("b.png", picture(8, 5))
    with pytest.raises(InputError, match=r"6x9x3 \('a.png'\), 8x5x3 \('b.png'\).*size="):
        data.images(tmp_path)
    rows = data.images(tmp_path, size=(4, 7))
    assert rows.values.shape == (2, 4, 7, 3)
    assert rows.name.endswith("resized to 4 x 7")
    assert (
        data.images([photo("a.png")], size=(6, 9)).values.tobytes()
        == data.images([photo("a.png")]).values.tobytes()
    )


def test_resizing_keeps_a_flat_color_and_the_range(tmp_path):
    flat = np.full((1, 9, 9, 3), 0.3, dtype=np.float32)
    np.testing.assert_allclose(data.images(flat, size=(4, 5)).values, 0.3, atol=1e-6)  # float32
    edge = np.zeros((1, 9, 9, 3))
    edge[:, :, 5:] = 1
    values = data.images(edge, size=(20, 20)).values
    assert values.min() == 0
    assert values.max() == 1


@pytest.mark.parametrize("size", [(0, 4), (4,), (4.0, 4), (4, 20_000)])
def test_an_impossible_size_is_refused(size):
    with pytest.raises(InputError, match="height, width"):
        data.images(np.zeros((1, 4, 4, 3)), size=size)


def bomb(path) -> None:
    """A PNG of 30000 x 30000 pixels by its header, of a hundred bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_broken_and_huge_files_are_named(photo, tmp_path):
    whole = photo("whole.jpg").read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole[: len(whole) // 2])
    png = photo("whole.png").read_bytes()
    flipped = tmp_path / "flipped.png"
    flipped.write_bytes(png[:45] + bytes([png[45] ^ 255]) + png[46:])
    words = tmp_path / "words.png"
    words.write_text("this is no image")
    empty = tmp_path / "empty.png"
    empty.touch()
    other = tmp_path / "other.png"  # whole, but of a format that is not read here
    Image.fromarray(picture()).save(other, format="PCX")
    bomb(tmp_path / "bomb.png")
    for path in (cut, flipped, words, empty, other, tmp_path / "bomb.png"):
        with pytest.raises(InputError, match=path.name):
            data.images([path])


def test_an_image_just_below_pillows_own_limit_is_still_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.data.image_files.MAX_PIXELS", 50)
    Image.fromarray(picture()).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="9 x 6 pixels; at most 50"):
        data.images(tmp_path)


def test_more_images_than_memory_should_hold_are_refused(photo, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.data.image_files.MAX_BYTES", 1000)
    photo("a.png"), photo("b.png")
    with pytest.raises(InputError, match="2 of 2"):
        data.images(tmp_path)


def test_an_animation_is_refused(tmp_path):
    frames = [Image.fromarray(picture(seed=i)) for i in range(3)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=r"moving\.gif' must be one image, but holds 3 frames"):
        data.images(tmp_path)


def test_numbers_with_no_known_white_are_refused(tmp_path):
    Image.fromarray(np.zeros((4, 5), np.float32)).save(tmp_path / "heights.tif")
    with pytest.raises(InputError, match=r"heights\.tif.*'F'"):
        data.images(tmp_path)


def test_arrays_keep_their_channels_and_are_scaled_by_their_type():
    whole = picture()
    np.testing.assert_array_equal(
        data.images(whole[None]).values[0], (whole / 255).astype(np.float32)
    )
    np.testing.assert_allclose(
        data.images([whole.astype(np.uint16) * 257]).values[0], whole / 255, atol=1e-7
    )  # float32
    assert data.images([np.zeros((4, 5)), np.ones((4, 5))]).values.shape == (2, 4, 5, 1)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.full((1, 4, 5, 3), 200.0), "Divide by 255"),
        (np.full((1, 4, 5, 3), -1.5), "normalization"),
        (np.full((1, 4, 5, 3), np.nan), r"\[0, 1\]"),
        (np.zeros((1, 4, 5, 3), dtype=np.int64), "int64"),
        (np.zeros((4, 5, 3)), r"array\[None\]"),
        (np.zeros((0, 4, 5, 3)), "an empty one"),
        ([np.zeros(5)], r"\(h, w\)"),
        ([], "an empty one"),
        (3, "but got 3"),
    ],
)
def test_arrays_that_are_no_images_get_a_sentence(array, said):
    with pytest.raises(InputError, match=said):
        data.images(array)
