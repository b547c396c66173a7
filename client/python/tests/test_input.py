"""What may be asked with, and what is said of the rest before it is sent."""
import numpy as np
import pytest

import mre_serving
from mre_serving._input import FP32, UINT8, to_rows

SHAPE = (28, 28, 1)


class Tensor:
    """Like a tensor of torch: numpy sees its __array__."""

    def __init__(self, values):
        self._values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self._values, dtype)


@pytest.fixture
def client(server):
    with mre_serving.Client(server.target) as made:
        yield made


def forms(image):
    yield image
    yield image[..., 0]
    yield image.astype(np.float32)
    yield image.astype(np.float64)
    yield image.astype(np.int64)
    yield image.tolist()
    yield image[..., 0].tolist()
    yield Tensor(image)
    yield Tensor(image.astype(np.float32))
    yield np.asfortranarray(image)
    yield image.astype(">f4")


def test_the_same_values_in_any_form_are_the_same_row(client, images):
    expected = client.predict(images[50])
    for form in forms(images[50]):
        assert client.predict(form).top == expected.top, type(form)
    for batch in (images[49:51, ..., 0], list(images[49:51]), images[49:51].tolist()):
        assert client.predict(batch)[1].top == expected.top


def test_images_are_converted_to_the_models_channels(client, images):
    Image = pytest.importorskip("PIL.Image")
    expected = client.predict(images[50])
    gray = Image.fromarray(images[50][..., 0])
    assert client.predict(gray).top == expected.top
    assert client.predict(gray.convert("RGB")).top == expected.top
    assert to_rows(gray, (28, 28, 3)).shape == (28, 28, 3)
    with pytest.raises(mre_serving.InvalidArgument,
                       match="28 wide and 28 high, got 10 wide and 20 high"):
        client.predict(gray.resize((10, 20)))
    with pytest.raises(mre_serving.InvalidArgument, match="no image"):
        to_rows(gray, (28, 28, 2))


def test_whole_numbers_of_a_byte_are_sent_as_bytes():
    assert to_rows([[[0], [255]]], (1, 2, 1)).datatype == UINT8
    assert to_rows([[[0], [256]]], (1, 2, 1)).datatype == FP32
    assert to_rows([[[-1], [2]]], (1, 2, 1)).datatype == FP32
    assert to_rows([[[0.5], [2]]], (1, 2, 1)).data == np.array(
        [0.5, 2], "<f4").tobytes()


def test_text_is_a_window():
    shape = (1, 4, 1)
    assert to_rows("be", shape).data == b"  be"
    assert to_rows("to be", shape).data == b"o be"
    assert to_rows(b"\xff", shape).data == b"   \xff"
    with pytest.raises(mre_serving.InvalidArgument, match=r"\[1, N, 1\]"):
        to_rows("to be", SHAPE)


@pytest.mark.parametrize("value, said", [
    (np.zeros((27, 28, 1)),
     r"\[28, 28, 1\] \(height, width, channels\).*\[27, 28, 1\]"),
    (np.zeros((1, 28, 28)), None),  # one row, its channel left out
    (np.zeros((2, 3, 28, 28, 1)), r"got \[2, 3, 28, 28, 1\]"),
    (np.zeros(784), r"got \[784\]"),
    (7, r"got \[\]"),
    (np.zeros((0, 28, 28, 1)), "at least one row"),
    (np.full(SHAPE, np.nan), "finite"),
    (np.full(SHAPE, 1e300), "finite"),
    (np.zeros(SHAPE, complex), "complex"),
    (np.full(SHAPE, "x"), "uint8 or float"),
    ([[1, 2], [3]], "expected numbers, got list: .*inhomogeneous"),
    (None, "NoneType"),
])
def test_a_wrong_input_is_refused_before_it_is_sent(value, said):
    if said is None:
        assert to_rows(value, SHAPE).shape == (1, 28, 28, 1)
        return
    with pytest.raises(mre_serving.InvalidArgument, match=said):
        to_rows(value, SHAPE)


def test_three_channels_are_not_left_out():
    with pytest.raises(mre_serving.InvalidArgument, match=r"\[rows, 32, 32, 3\]"):
        to_rows(np.zeros((32, 32)), (32, 32, 3))
