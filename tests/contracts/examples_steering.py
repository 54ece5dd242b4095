"""Values of what people say to runs that are under way."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast.contracts.steering import Cancellation, MessageInput, Pause, PersonMessage, SteerInput

AT = "2026-11-21T03:00:00.000+00:00"

EXAMPLES: dict[str, BaseModel] = {
    "MessageInput": MessageInput(text="only eu-west-1, bitte schön", by="ana"),
    "SteerInput": SteerInput(by="ana", reason="an upgrade"),
    "PersonMessage": PersonMessage(text="only eu-west-1", by="ana", at=AT),
    "Pause": Pause(by="dana", at=AT, reason="an upgrade"),
    "Cancellation": Cancellation(at=AT, reason="by ana: wrong account"),
}
