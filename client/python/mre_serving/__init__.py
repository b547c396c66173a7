"""Client of mre-server: anytime predictions, streamed.

    import mre_serving

    with mre_serving.Client("localhost:8001") as client:
        for p in client.stream(image, max_steps=8):
            print(p.step, p.label, p.confidence)

See Client, and mre_serving.aio for asyncio.
"""
from ._channel import Tls
from .aio import AsyncClient, AsyncHandle, AsyncSession
from .client import Client, PredictionStream
from .errors import (Cancelled, DeadlineExceeded, InvalidArgument, MreError, NotFound,
                     PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable)
from .options import BudgetOptions, PredictOptions
from .retry import RetryPolicy
from .session import Handle, Session
from .types import (ClassProbability, Expert, Health, ModelInfo, ModelMacs, ModelState,
                    Prediction, StopReason)

__version__ = "0.1.0"

__all__ = [
    "AsyncClient", "AsyncHandle", "AsyncSession", "BudgetOptions", "Cancelled",
    "ClassProbability", "Client", "DeadlineExceeded", "Expert", "Handle", "Health",
    "InvalidArgument", "ModelInfo", "ModelMacs", "ModelState", "MreError",
    "NotFound", "PermissionDenied", "Prediction", "PredictOptions", "PredictionStream",
    "ResourceExhausted", "RetryPolicy", "Session", "StopReason", "Tls",
    "Unauthenticated", "Unavailable",
]
