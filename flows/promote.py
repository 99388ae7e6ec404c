"""The registry's two levers as flows: judge the models that are trained, or go back to the champion before."""

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows import workspace
from flows.pipeline import PipelineError, run_gate
from flows.reporter import Silent
from flows.summary import Summary
from retouch.settings import load


@flow(name="promote")
def promote() -> Summary:
    """Send every trained model through the gate, without running a stage. Raises PipelineError when one cannot be judged."""
    with workspace.lock():
        models = list(load().models)
        summary = Summary(unchanged=[f"register@{name}" for name in models])
        run_gate(summary, Silent())
        create_markdown_artifact(summary.markdown(models), key="promote", description="Verdicts of the gate")
        if summary.failed:
            raise PipelineError(summary)
        return summary


@flow(name="rollback")
def rollback(model: str, reason: str) -> int:
    """Serve the champion of `model` before the present one again; returns the version that serves now. Raises TrackingError."""
    from retouch.registry.rollback import rollback as restore

    with workspace.lock():
        result = restore(model, reason)
        text = f"{model}: version {result.restored} serves again, version {result.withdrawn} is withdrawn ({reason})"
        get_run_logger().warning(text)
        create_markdown_artifact(text, key="rollback", description="The champion before serves again")
        return result.restored
