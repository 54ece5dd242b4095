"""What the agent is told first beside its task: what is attached to it."""

from holdfast.contracts import names
from holdfast.contracts.attachments import Attachment
from holdfast.contracts.run import RunInput


def beside_task(given: RunInput) -> list[str]:
    """The texts that stand behind the task in the first message: one that has a line for each attachment, if any."""
    if not given.attachments:
        return []
    return ["\n".join(["Attached to the task:", *(_line(one) for one in given.attachments)])]


def _line(one: Attachment) -> str:
    what = f"- {one.name} ({one.media_type}"
    if one.text is not None:
        return f"{what}), the whole of it:\n<attachment>\n{one.text}\n</attachment>"
    return (
        f"{what}, {one.bytes:,} bytes): artifact {one.artifact}, to be read in pages by {names.READ_ARTIFACT}"
    )
