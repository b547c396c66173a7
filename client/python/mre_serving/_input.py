"""From what users hold (arrays, images, lists, text) to a mre.v1.Tensor's fields."""
from __future__ import annotations

import sys
from typing import Any, NamedTuple, Tuple

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgument

UINT8, FP32 = 1, 2  # mre.v1.DataType


class Rows(NamedTuple):
    """A tensor, and whether it has a dimension of rows in front."""

    datatype: int
    shape: Tuple[int, ...]
    data: bytes
    batched: bool


def _text(shape: Tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def to_rows(value: Any, shape: Tuple[int, ...]) -> Rows:
    """The rows of `value` for a model whose input has this shape.

    Raises InvalidArgument, saying what the model takes, before anything is sent.
    """
    if isinstance(value, (str, bytes)):
        return _window(value, shape)
    # A PIL image exists only where PIL was imported, so it is not imported here.
    image = sys.modules.get("PIL.Image")
    if image is not None and isinstance(value, image.Image):
        value = _image(value, shape)
    array = _numbers(value)
    array, batched = _fit(array, shape)
    if batched and array.shape[0] == 0:
        raise InvalidArgument("input: expected at least one row, got none")
    datatype = UINT8 if array.dtype == np.uint8 else FP32
    if datatype == FP32 and not np.isfinite(array).all():
        raise InvalidArgument("input: expected finite numbers, got NaN or infinity")
    if datatype == FP32:
        array = array.astype("<f4", copy=False)
    return Rows(datatype, array.shape, array.tobytes(), batched)


def _numbers(value: Any) -> npt.NDArray[Any]:
    """As uint8 where that says the same, else float32."""
    try:
        array = np.asarray(value)
    except Exception as error:  # __array__ may raise anything
        raise InvalidArgument(
            f"input: expected numbers, got {type(value).__name__}: {error}") from error
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind in "iub":
        if array.size and array.min() >= 0 and array.max() <= 255:
            return array.astype(np.uint8)
        return array.astype(np.float32)
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # becomes infinity, which is refused
            return array.astype(np.float32)
    raise InvalidArgument(
        "input: expected an array of uint8 or float numbers, a PIL image or nested "
        f"lists of equal lengths, got {type(value).__name__} of {array.dtype}")


def _fit(array: npt.NDArray[Any],
         shape: Tuple[int, ...]) -> Tuple[npt.NDArray[Any], bool]:
    """With the model's dimensions; one channel may be left out."""
    if array.shape == shape:
        return array, False
    if array.shape[1:] == shape:
        return array, True
    if shape and shape[-1] == 1:
        if array.shape == shape[:-1]:
            return array[..., np.newaxis], False
        if array.ndim == len(shape) and array.shape[1:] == shape[:-1]:
            return array[..., np.newaxis], True
    names = " (height, width, channels)" if len(shape) == 3 else ""
    raise InvalidArgument(
        f"input: the model takes {_text(shape)}{names}, or [rows, {_text(shape)[1:]} "
        f"for a batch; got {_text(array.shape)}")


def _image(image: Any, shape: Tuple[int, ...]) -> Any:
    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    if len(shape) != 3 or shape[2] not in modes:
        raise InvalidArgument(
            f"input: the model takes {_text(shape)}, which is no image")
    height, width, channels = shape
    if image.size != (width, height):
        raise InvalidArgument(
            f"input: the model takes images {width} wide and {height} high, got "
            f"{image.size[0]} wide and {image.size[1]} high; resize it first")
    return np.asarray(image.convert(modes[channels])).reshape(shape)


def _window(text: Any, shape: Tuple[int, ...]) -> Rows:
    """The last bytes of a text, after as many spaces as there are too few."""
    if len(shape) != 3 or shape[0] != 1 or shape[2] != 1:
        raise InvalidArgument(
            "input: text is for a model that takes [1, N, 1], a window of text; this "
            f"one takes {_text(shape)}")
    data = text.encode() if isinstance(text, str) else text
    return Rows(UINT8, shape, data[-shape[1]:].rjust(shape[1]), False)
