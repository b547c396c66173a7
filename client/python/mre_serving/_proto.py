"""The messages of proto/mre/v1/anytime.proto, made from its description.

They live in a pool of their own: a program may load generated code of the same proto
beside them.
"""
from __future__ import annotations

import importlib.resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def _load() -> descriptor_pool.DescriptorPool:
    path = importlib.resources.files(__package__).joinpath("anytime.binpb")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImportError(
            f"mre_serving: {path} is missing; in a clone make it with "
            "python3 client/python/make_proto.py") from None
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


_pool = _load()


def _message(name: str) -> Any:
    descriptor = _pool.FindMessageTypeByName(f"mre.v1.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    # protobuf before 4.22
    return message_factory.MessageFactory(_pool).GetPrototype(descriptor)


def number(enum: str, name: str) -> int:
    """The number of an enum's value, or KeyError."""
    values = _pool.FindEnumTypeByName(f"mre.v1.{enum}").values_by_name
    return int(values[name].number)


# The short names that the rest of the package uses.
PredictRequest = _message("PredictRequest")
PredictUpdate = _message("PredictUpdate")
PredictControl = _message("PredictControl")
ListModelsRequest = _message("ListModelsRequest")
ListModelsResponse = _message("ListModelsResponse")
GetModelRequest = _message("GetModelRequest")
ModelInfo = _message("ModelInfo")

SERVICE = "mre.v1.AnytimeInference"
