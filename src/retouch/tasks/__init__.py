"""The tasks: what goes in, what comes out, how wrong an answer is, and how it is served."""

from importlib import import_module
from typing import TYPE_CHECKING

from retouch.errors import SettingsError

if TYPE_CHECKING:
    from retouch.tasks.base import Task

TASKS: "dict[str, str | Task]" = {
    "harmonization": f"{__name__}.harmonization:Harmonization",
}
"""By name, a task or where its class stands."""


def register(task: "Task") -> None:
    """Add a task that is defined elsewhere; its settings go to `retouch.settings.models.TASKS`."""
    TASKS[task.name] = task


def get(name: str) -> "Task":
    """A task by name. Raises SettingsError that lists the tasks there are."""
    if name not in TASKS:
        raise SettingsError(f"no task {name!r}; there are {', '.join(TASKS)}")
    entry = TASKS[name]
    if isinstance(entry, str):
        module, _, attribute = entry.partition(":")
        entry = TASKS[name] = getattr(import_module(module), attribute)()
    return entry
