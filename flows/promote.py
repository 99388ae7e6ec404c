"""The registry's two levers as flows: judge what is trained now, or go back to the champion before."""

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows import workspace
from flows.pipeline import PipelineError, run_gate
from flows.summary import Summary, markdown
from retouch import settings as params


@flow(name="promote")
def promote() -> Summary:
    """Send every trained model through the gate, without running a stage. Raises PipelineError when one cannot be judged."""
    with workspace.lease():
        settings = params.load()
        summary = Summary(unchanged=[f"register@{name}" for name in settings.models])
        run_gate(summary)
        create_markdown_artifact(markdown(summary, list(settings.models)), key="promote", description="Verdicts of the gate")
        if summary.failed:
            raise PipelineError(summary)
        return summary


@flow(name="rollback")
def rollback(model: str, reason: str) -> int:
    """Serve the champion before the present one of `model` again; the version that serves now. Raises TrackingError."""
    from retouch.registry.rollback import rollback as take_back

    with workspace.lease():
        done = take_back(model, reason)
        text = f"{model}: version {done.restored} serves again, version {done.withdrawn} is withdrawn ({reason})"
        get_run_logger().warning(text)
        create_markdown_artifact(text, key="rollback", description="A champion was taken back")
        return done.restored
