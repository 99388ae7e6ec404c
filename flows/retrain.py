"""On a schedule: new snapshot → nothing to do if unchanged → stages → gate → promote."""

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.states import Failed

from flows import workspace
from flows.pipeline import PipelineError, work
from flows.summary import Summary, markdown
from retouch import settings as params
from retouch.errors import RetouchError, SourceError


@task(name="snapshot", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=30)
def snapshot() -> bool | State:
    """Bring the photographs up to date (`retouch download`); whether there is anything new. Only this step is tried again."""
    from retouch.sources.download import download

    try:
        found = download(params.load())
    except SourceError as error:
        return Failed(message=str(error))
    get_run_logger().info("snapshot %s: %s", found.md5, "new" if found.changed else "unchanged")
    return found.changed


@flow(name="retrain")
def retrain(force: bool = False) -> Summary:
    """Retrain on what is new and let better models through the gate; leaves a page with the outcome in Prefect.

    Raises BusyError when another pipeline holds the workspace, SourceError or PipelineError when a step failed.
    """
    with workspace.lease():
        state = snapshot(return_state=True)
        if not state.is_completed():
            raise SourceError(state.message or "the snapshot failed")
        try:
            nothing = not force and not state.result() and workspace.up_to_date()
            summary = Summary(nothing_to_do=True) if nothing else work(force, promote=True)
        except PipelineError as error:
            _publish(error.summary)
            raise
        _publish(summary)
        return summary


def _publish(summary: Summary) -> None:
    try:
        models = list(params.load().models)
    except RetouchError:
        models = []
    create_markdown_artifact(markdown(summary, models), key="retrain", description="Outcome of the retraining")


if __name__ == "__main__":
    retrain()
