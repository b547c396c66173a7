"""What a request of a session is, whichever way its session waits."""
from __future__ import annotations

from typing import Any, List, Mapping, Optional

from . import _proto, _shared, options, types
from ._inbox import Box


class HandleBase:
    """One request of a session. `batched`: its answer is a list."""

    def __init__(self, box: Box, batched: bool):
        self._box = box
        self._batched = batched
        self._finals: List[types.Prediction] = []

    @property
    def request_id(self) -> str:
        return self._box.request_id

    def _note(self, found: Optional[types.Prediction]) -> None:
        if found is not None and found.final:
            self._finals.append(found)

    def _stop_message(self) -> Any:
        message = _proto.PredictControl(request_id=self.request_id)
        message.stop.SetInParent()
        return message

    def _budget_message(self, budget: Mapping[str, Any]) -> Any:
        message = _proto.PredictControl(request_id=self.request_id)
        message.budget.SetInParent()
        options.fill_budget(message.budget, budget)
        return message

    def _answer(self) -> Any:
        rows = _shared.finals(self._finals)
        return rows if self._batched else rows[0]
