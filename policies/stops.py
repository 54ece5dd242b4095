"""What follows an answer of the model: the stop reasons, each with its consequence.

| stop reason                    | calls in it | what follows                                                  |
|--------------------------------|-------------|---------------------------------------------------------------|
| tool_use                       | run         | results are fed back                                          |
| end_turn, stop_sequence        | run, if any | without calls: the text is the answer, or a nudge to finish    |
| pause_turn                     | run, if any | without calls: asked again, to go on                          |
| max_tokens                     | never run   | told that it was cut off; the next answer may be longer       |
| model_context_window_exceeded  | never run   | the next rung                                                 |
| refusal                        | never run   | the next rung                                                 |
| anything else, or none         | never run   | told that the reason is unknown                               |

A call in an answer that was cut off looks runnable, with `{}` or half of its arguments: only the stop
reason says not to run it (PROVIDER_FACTS, Answers 5).
"""

from typing import Literal

Next = Literal["calls", "answer", "again", "cut_off", "next_rung", "unknown"]

MAX_ODD_ANSWERS = 3
"""This many answers in a row that move nothing (cut off, silent, unknown) fail the rung."""

MAX_TOKENS_FACTOR = 4
"""An answer that was cut off is followed by one with double the output limit, at most this many times it."""


def after(stop_reason: str, *, has_calls: bool) -> Next:
    """What follows an answer that stopped for this reason."""
    match stop_reason:
        case "tool_use" | "end_turn" | "stop_sequence":
            return "calls" if has_calls else "answer"
        case "pause_turn":
            return "calls" if has_calls else "again"
        case "max_tokens":
            return "cut_off"
        case "refusal" | "model_context_window_exceeded":
            return "next_rung"
        case _:
            return "unknown"


CUT_OFF = (
    "Your answer was cut off at the output limit, so nothing of it was carried out. "
    "Say it in fewer words, or make fewer or smaller calls at a time."
)
UNKNOWN = (
    "Your answer ended for an unknown reason ({reason}), so nothing of it was carried out. Please repeat it."
)
SILENT = "You said nothing. What do you know so far, and what blocks you? Go on, or call `finish`."
FINISH_FIRST = "Hand in your result by calling `finish`, so that it can be checked."
LAST_TURN = (
    "You have reached {limit}. No more tools can be used. Call `finish` now, with status `partial` or "
    "`completed`, and hand back what you have found and done so far."
)
RAISED = (
    "{by} raised your limits: {limits}. All tools can be used again: go on from where you stopped, and call "
    "`finish` when you are done."
)
"""What the model is told."""
