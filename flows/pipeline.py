"""The whole job: every stage of dvc.yaml, one Prefect task each, then the promotion gate."""

import sys
from typing import Any, cast

if __name__ == "__main__":  # Prefect takes seconds to import, which nothing to do is not worth
    from flows.main import main

    sys.exit(main())

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.states import Failed

from flows import bridge, show, workspace
from flows.summary import Summary
from retouch import settings as params
from retouch.errors import RetouchError


class PipelineError(bridge.StageError):
    """Some stages failed; `summary` holds what became of the others."""

    def __init__(self, summary: Summary) -> None:
        super().__init__("; ".join(summary.failed.values()))
        self.summary = summary


@task(name="stage", task_run_name="{name}", cache_policy=NO_CACHE, retries=0)
def run_stage(name: str, force: bool = False) -> bridge.Done | State:
    """Bring one stage of dvc.yaml up to date; DVC is the only cache. A failure is a state with the stage's one line."""
    logger = get_run_logger()

    def say(line: str) -> None:
        logger.info(line)
        show.line(name, line)

    try:
        return bridge.reproduce(name, say, force)
    except RetouchError as error:
        return Failed(message=str(error))


@task(name="promote", task_run_name="promote {name}", cache_policy=NO_CACHE, retries=0)
def judge(name: str) -> tuple[str, str] | State:
    """Send one model through the gate: (state, reasons in one line)."""
    from retouch.registry.promotion import promote

    try:
        outcome = promote(params.load(), name)
    except RetouchError as error:
        return Failed(message=f"promote {name}: {error}")
    reasons = "; ".join(outcome.verdict.reasons)
    get_run_logger().info("%s version %s: %s: %s", name, outcome.version, outcome.state, reasons)
    return f"{outcome.state} (version {outcome.version})", reasons


@task(name="promote harmonizer", cache_policy=NO_CACHE, retries=0)
def judge_product() -> int | State | None:
    """Point models:/harmonizer@champion at the best champion."""
    from retouch.registry.measured import test_set_hash
    from retouch.registry.promotion import promote_product

    try:
        return promote_product(test_set_hash(params.load()))
    except RetouchError as error:
        return Failed(message=f"promote harmonizer: {error}")


def run_stages(summary: Summary, force: bool) -> None:
    """Run what is not up to date; a failure stops only the stages that need its outputs."""
    stages = bridge.stages()
    outdated = bridge.outdated()
    for number, stage in enumerate(stages, 1):
        if lost := [need for need in stage.needs if need in summary.failed or need in summary.left_out]:
            summary.left_out[stage.name] = lost[0]
            continue
        if not (force or stage.name in outdated or any(need in summary.seconds for need in stage.needs)):
            summary.unchanged.append(stage.name)
            continue
        show.stage(stage.name, number, len(stages))
        state = run_stage(stage.name, force, return_state=True)
        if _went_well(state, stage.name, summary):
            done = cast(bridge.Done, state.result())
            show.done(done)
            if done.changed:
                summary.seconds[stage.name] = done.seconds
            else:
                summary.unchanged.append(stage.name)


def run_gate(summary: Summary) -> None:
    """Judge every model whose registration is up to date, then choose the product's."""
    registered = {name.partition("@")[2] for name in (*summary.seconds, *summary.unchanged) if name.startswith("register@")}
    for name in params.load().models:
        if name in registered:
            show.stage(f"promote {name}")
            state = judge(name, return_state=True)
            if _went_well(state, f"promote {name}", summary):
                summary.promoted[name], summary.reasons[name] = cast(tuple[str, str], state.result())
    if summary.promoted:
        chosen = judge_product(return_state=True)
        if _went_well(chosen, "promote harmonizer", summary):
            summary.product = cast(int | None, chosen.result())


def _went_well(state: State[Any], name: str, summary: Summary) -> bool:
    if not state.is_completed():
        show.failed()
        summary.failed[name] = state.message or f"{name} failed"
    return state.is_completed()


def work(force: bool, promote: bool) -> Summary:
    """Stages, then the gate, inside a flow that holds the lease. Raises PipelineError when anything failed."""
    params.load()
    summary = Summary()
    run_stages(summary, force)
    if promote:
        run_gate(summary)
    if summary.failed:
        raise PipelineError(summary)
    if promote:
        workspace.note_judged()
    return summary


@flow(name="pipeline")
def pipeline(force: bool = False, promote: bool = True) -> Summary:
    """Photographs to promoted models. `force` runs every stage again; without `promote` the registry's champions stay.

    Raises BusyError when another pipeline holds the workspace, PipelineError when a stage failed (the others are done).
    """
    with workspace.lease():
        if not force and workspace.up_to_date(promote):
            get_run_logger().info("nothing to do")
            return Summary(nothing_to_do=True)
        return work(force, promote)
