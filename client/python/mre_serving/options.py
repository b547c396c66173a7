"""The keyword arguments of a prediction, and the request that they make."""
from __future__ import annotations

import datetime
import math
from typing import Any, Mapping, Optional, TypedDict, Union

from . import _proto
from ._input import Rows
from .errors import InvalidArgument

Seconds = Union[float, datetime.timedelta]


class BudgetOptions(TypedDict, total=False):
    """Limits on the computation of each row: the first that holds stops it. Left out
    or 0: no limit."""

    #: Steps at most (experts, of an "mre").
    max_steps: int
    #: Multiply-accumulates at most; must cover step 0 (ModelInfo.first_step_macs).
    max_macs: int
    #: The best answer within this time: seconds, or a timedelta.
    max_time: Optional[Seconds]
    #: Stop once the largest probability reaches this, 0 to 1.
    min_confidence: float
    #: Stop once this share of the rays reaches the output, 0 to 1.
    min_ray_coverage: float
    #: Stop once the answer has stayed for this many steps.
    stable_steps: int
    #: Kind "raytracing" only: the mass at the output that ends a row.
    theta_out: float
    #: Kind "raytracing" only: from one threshold to the next, 0 to 1.
    theta_decay: float


class PredictOptions(BudgetOptions, total=False):
    """A budget, and what else a request may say."""

    #: The model's name; may be left out when the server has one.
    model: Optional[str]
    #: 0: the newest that is ready.
    version: int
    #: A version by its label, such as "stable"; not together with `version`.
    label: str
    #: Names the request in the server's logs. Of an interactive one also on its
    #: session, where it must differ from all that are open; there a number if empty.
    request_id: str
    #: Who goes first while rows wait for a place: 1 (first) to 9 (last); 0: 5.
    priority: int
    #: Draw the next expert by its rate, with `seed`, instead of taking the largest.
    sampled: bool
    seed: int
    #: Classes in Prediction.top; 0: 5.
    top_k: int
    #: Fill Prediction.probabilities with every class.
    probabilities: bool
    #: Only each n-th step and the last; 0: every step.
    every: int
    #: "all": no step is dropped, and a reader who is slow holds the row up (the
    #: default, as of the program `mre`); "latest": newer steps replace unread ones.
    delivery: str


_COUNTS = {"max_steps": 32, "max_macs": 64, "stable_steps": 32}
_SHARES = ("min_confidence", "min_ray_coverage")
_BUDGET = frozenset(BudgetOptions.__annotations__)
_ALL = _BUDGET | frozenset(PredictOptions.__annotations__)


def _count(name: str, value: Any, bits: int = 32) -> int:
    try:
        number = value.__index__()
    except AttributeError:
        number = -1
    if isinstance(value, bool) or not 0 <= number < 2 ** bits:
        raise InvalidArgument(
            f"{name}: expected a whole number from 0 to {2 ** bits - 1}, got {value!r}")
    return int(number)


def _number(name: str, value: Any, most: float = math.inf) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= most or math.isinf(number):
        upto = "of 0 or more" if math.isinf(most) else f"from 0 to {most:g}"
        raise InvalidArgument(f"{name}: expected a number {upto}, got {value!r}")
    return number


def seconds(name: str, value: Any) -> float:
    """A time of at least 0 in seconds."""
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    return _number(name, value)


def _known(given: Mapping[str, Any], names: frozenset[str]) -> None:
    for name in given:
        if name not in names:
            raise TypeError(f"unknown argument {name!r}: expected one of "
                            + ", ".join(sorted(names)))


def fill_budget(message: Any, given: Mapping[str, Any]) -> None:
    """Writes a BudgetOptions into a mre.v1.Budget."""
    _known(given, _BUDGET)
    for name, value in given.items():
        if name == "max_time":
            if value is not None:
                nanos = round(seconds(name, value) * 1e9)
                message.max_time.seconds, message.max_time.nanos = divmod(
                    nanos, 10 ** 9)
        elif name in _COUNTS:
            setattr(message, name, _count(name, value, _COUNTS[name]))
        elif name in _SHARES:
            setattr(message, name, _number(name, value, 1))
        else:
            setattr(message, name, _number(name, value))


def check(given: Mapping[str, Any]) -> None:
    """TypeError for a name that is not an argument; before anything is asked."""
    _known(given, _ALL)
    if given.get("version") and given.get("label"):
        raise InvalidArgument("version, label: expected one of them, got both")


def request(given: Mapping[str, Any], rows: Rows, model: str) -> Any:
    """The mre.v1.PredictRequest. REQUIRES: check(given)."""
    message = _proto.PredictRequest()
    message.model_name = model
    message.model_version = _count("version", given.get("version", 0), 63)
    message.model_label = given.get("label") or ""
    message.request_id = given.get("request_id", "")
    message.priority = _count("priority", given.get("priority", 0))
    message.input.datatype = rows.datatype
    message.input.shape.extend(rows.shape)
    message.input.data = rows.data
    fill_budget(message.budget, {k: v for k, v in given.items() if k in _BUDGET})
    message.routing.sampled = bool(given.get("sampled", False))
    message.routing.seed = _count("seed", given.get("seed", 0), 64)
    message.output.top_k = _count("top_k", given.get("top_k", 0))
    message.output.probabilities = bool(given.get("probabilities", False))
    message.output.every = _count("every", given.get("every", 0))
    delivery = given.get("delivery", "all")
    if delivery not in ("all", "latest"):
        raise InvalidArgument(f'delivery: expected "all" or "latest", got {delivery!r}')
    message.output.delivery = _proto.number("Delivery", f"DELIVERY_{delivery.upper()}")
    return message
