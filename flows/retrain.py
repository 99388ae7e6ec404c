"""On a schedule: new snapshot → nothing to do if unchanged → stages → gate → promotion."""

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.states import Failed

from flows import workspace
from flows.pipeline import PipelineError, run_stages_and_gate
from flows.reporter import Silent
from flows.summary import Summary
from retouch.errors import RetouchError, SourceError
from retouch.settings import load


@task(name="snapshot", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=30)
def update_snapshot() -> bool | State:
    """Bring the photographs up to date (`retouch download`); whether there is anything new. Only this step is retried."""
    from retouch.sources.download import download

    try:
        snapshot = download(load())
    except SourceError as error:
        return Failed(message=str(error))
    get_run_logger().info("snapshot %s: %s", snapshot.md5, "new" if snapshot.changed else "unchanged")
    return snapshot.changed


@flow(name="retrain")
def retrain(force: bool = False) -> Summary:
    """Retrain on what is new and let better models through the gate; leaves a page with the outcome in Prefect.

    Raises BusyError when another pipeline holds the workspace, SourceError or PipelineError when a step failed.
    """
    with workspace.lock():
        state = update_snapshot(return_state=True)
        if not state.is_completed():
            raise SourceError(state.message or "the snapshot failed")
        try:
            if not force and not state.result() and workspace.up_to_date():
                summary = Summary(nothing_to_do=True)
            else:
                summary = run_stages_and_gate(force, True, Silent())
        except PipelineError as error:
            _publish(error.summary)
            raise
        _publish(summary)
        return summary


def _publish(summary: Summary) -> None:
    try:
        models = list(load().models)
    except RetouchError:
        models = []
    create_markdown_artifact(summary.markdown(models), key="retrain", description="Outcome of the retraining")
