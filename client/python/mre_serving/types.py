"""What the server says, as plain immutable values."""
from __future__ import annotations

import dataclasses
import enum
from typing import Any, List, Optional, Tuple

import numpy as np
import numpy.typing as npt


class StopReason(enum.Enum):
    """Why a row stopped."""

    UNSPECIFIED = 0
    MAX_STEPS = 1
    MAX_MACS = 2
    MAX_TIME = 3
    CONFIDENCE = 4
    RAY_COVERAGE = 5
    STABLE = 6
    CLIENT_STOP = 7
    #: Nothing is left to run.
    EXHAUSTED = 8
    #: The server is busy and grants fewer steps than asked.
    OVERLOAD = 9
    #: The server is shutting down.
    DRAINING = 10

    @classmethod
    def _missing_(cls, value: object) -> StopReason:
        return cls.UNSPECIFIED  # one that a newer server knows


class ModelState(enum.Enum):
    """Whether a model can be asked."""

    UNSPECIFIED = 0
    READY = 1
    #: Its checkpoint was refused; ModelInfo.error says why.
    FAILED = 2
    LOADING = 3
    UNLOADING = 4
    UNLOADED = 5

    @classmethod
    def _missing_(cls, value: object) -> ModelState:
        return cls.UNSPECIFIED  # one that a newer server knows


class Health(enum.Enum):
    """What grpc.health.v1 says of a service."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2


@dataclasses.dataclass(frozen=True)
class Expert:
    """An expert by its layer and its number within it, both from 0."""

    layer: int
    index: int


@dataclasses.dataclass(frozen=True)
class ClassProbability:
    """One class of the answer; `label` is empty when the model names none."""

    index: int
    label: str
    probability: float


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What is known of one row after one step.

    row: index of the row in the input, from 0.
    step: steps run so far; 0: the stem alone.
    macs: multiply-accumulates spent on this row so far.
    elapsed: seconds since the server admitted the request.
    top: the most probable classes, largest first (top_k of them).
    confidence: the largest probability.
    ray_coverage: share of the rays that reach the output, 0 to 1.
    final: no later prediction of this row follows.
    stop_reason: why the row stopped; None unless final.
    expert: the one that this step ran; None at step 0.
    experts: all that this step ran, when there are several.
    probabilities: float32 [classes], None unless asked for.
    """

    row: int
    step: int
    macs: int
    elapsed: float
    top: Tuple[ClassProbability, ...]
    confidence: float
    ray_coverage: float
    final: bool
    stop_reason: Optional[StopReason]
    expert: Optional[Expert]
    experts: Tuple[Expert, ...]
    probabilities: Optional[npt.NDArray[np.float32]] = dataclasses.field(compare=False)
    model: str
    version: int

    @property
    def label(self) -> str:
        """The most probable class by name, or by number when it has none."""
        return self.top[0].label or str(self.top[0].index)

    @property
    def class_index(self) -> int:
        """The most probable class by number."""
        return self.top[0].index


@dataclasses.dataclass(frozen=True)
class ModelMacs:
    """Multiply-accumulates of each part.

    stem, head and gate are once a row, once a step, and once a step after the first;
    experts is one number an expert, by layer, then index.
    """

    stem: int
    experts: Tuple[int, ...]
    head: int
    gate: int
    experts_per_step: int


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """A model that the server has. When not `ready`, `error` may say why."""

    name: str
    version: int
    state: ModelState
    error: str
    kind: str
    #: Of one row, such as (28, 28, 1): height, width, channels.
    input_shape: Tuple[int, ...]
    classes: Tuple[str, ...]
    layers: int
    experts_per_layer: int
    macs: ModelMacs
    parameters: int
    #: "f32" or "bf16".
    precision: str
    #: Steps until nothing is left to run.
    max_steps: int

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        return self.state is ModelState.READY

    @property
    def first_step_macs(self) -> int:
        """What step 0 costs: the smallest max_macs that works."""
        return self.macs.stem + self.macs.head


def prediction(message: Any, model: str, version: int) -> Prediction:
    """From a mre.v1.Prediction."""
    expert = None
    if message.HasField("expert"):
        expert = Expert(message.expert.layer, message.expert.index)
    probabilities = None
    if message.probabilities:
        probabilities = np.array(message.probabilities, np.float32)
    return Prediction(
        row=message.row,
        step=message.step,
        macs=message.macs,
        elapsed=message.elapsed.seconds + message.elapsed.nanos * 1e-9,
        top=tuple(ClassProbability(c.class_index, c.label, c.probability)
                  for c in message.top),
        confidence=message.confidence,
        ray_coverage=message.ray_coverage,
        final=message.final,
        stop_reason=StopReason(message.stop_reason) if message.final else None,
        expert=expert,
        experts=tuple(Expert(e.layer, e.index) for e in message.experts),
        probabilities=probabilities,
        model=model,
        version=version)


def predictions(update: Any) -> List[Prediction]:
    """From a mre.v1.PredictUpdate."""
    return [prediction(p, update.model_name, update.model_version)
            for p in update.predictions]


def model_info(message: Any) -> ModelInfo:
    """From a mre.v1.ModelInfo."""
    macs = message.macs
    return ModelInfo(
        name=message.model_name,
        version=message.model_version,
        state=ModelState(message.state),
        error=message.error,
        kind=message.kind,
        input_shape=tuple(message.input_shape),
        classes=tuple(message.classes),
        layers=message.layers,
        experts_per_layer=message.experts_per_layer,
        macs=ModelMacs(macs.stem, tuple(macs.experts), macs.head, macs.gate,
                       macs.experts_per_step),
        parameters=message.parameters,
        precision=message.precision,
        max_steps=message.max_steps)
