"""The whole job: every stage of dvc.yaml, one Prefect task each, then the promotion gate."""

import sys
from collections.abc import Callable
from typing import Any, cast

if __name__ == "__main__":  # importing Prefect takes seconds, which are wasted when there is nothing to do
    from flows.main import main

    sys.exit(main())

from prefect import Flow, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.states import Failed

from flows import dvc_runner, workspace
from flows.reporter import Reporter, Silent
from flows.summary import Summary
from retouch.cli.environment import limit_spinning
from retouch.errors import RetouchError
from retouch.settings import load


class PipelineError(dvc_runner.StageError):
    """Some stages failed; `summary` holds the outcome of all."""

    def __init__(self, summary: Summary) -> None:
        super().__init__("; ".join(summary.failed.values()))
        self.summary = summary


@task(name="stage", task_run_name="{name}", cache_policy=NO_CACHE, retries=0)
def run_stage(name: str, log: Callable[[str], None], force: bool = False) -> dvc_runner.StageResult | State:
    """Bring one stage of dvc.yaml up to date; DVC is the only cache. A failure is a state with the stage's one line."""
    logger = get_run_logger()

    def log_twice(line: str) -> None:
        logger.info(line)
        log(line)

    try:
        return dvc_runner.reproduce(name, log_twice, force)
    except RetouchError as error:
        return Failed(message=str(error))


@task(name="promote", task_run_name="promote {name}", cache_policy=NO_CACHE, retries=0)
def judge(name: str) -> tuple[str, str] | State:
    """Send one model through the gate: (decision, reasons in one line)."""
    limit_spinning()  # torch is loaded where a champion has to be measured again
    from retouch.registry.promotion import promote

    try:
        outcome = promote(load(), name)
    except RetouchError as error:
        return Failed(message=f"promote {name}: {error}")
    reasons = "; ".join(outcome.verdict.reasons)
    get_run_logger().info("%s version %s: %s: %s", name, outcome.version, outcome.state, reasons)
    return f"{outcome.state} (version {outcome.version})", reasons


@task(name="products", cache_policy=NO_CACHE, retries=0)
def judge_products() -> dict[str, int] | State:
    """Point each product, such as models:/harmonizer@champion, at the best champions of its task; the versions that serve."""
    from retouch.registry.promotion import promote_products

    try:
        return promote_products()
    except RetouchError as error:
        return Failed(message=f"promote products: {error}")


def run_stages(summary: Summary, force: bool, reporter: Reporter) -> None:
    """Run what is not up to date; a failure stops only the stages that need its outputs."""
    stages = dvc_runner.stages()
    outdated = dvc_runner.outdated()
    for number, stage in enumerate(stages, 1):
        name = stage.name
        if missing := [need for need in stage.needs if need in summary.failed or need in summary.skipped]:
            summary.skipped[name] = missing[0]
            continue
        if not (force or name in outdated or any(need in summary.seconds for need in stage.needs)):
            summary.unchanged.append(name)
            continue
        reporter.begin(name, number, len(stages))
        state = run_stage(name, lambda line, name=name: reporter.line(name, line), force, return_state=True)
        if _is_completed(state, name, summary, reporter):
            result = cast(dvc_runner.StageResult, state.result())
            reporter.succeed(result)
            if result.changed:
                summary.seconds[name] = result.seconds
            else:
                summary.unchanged.append(name)


def run_gate(summary: Summary, reporter: Reporter) -> None:
    """Judge every model whose registration is up to date, then bring the products up to date."""
    registered = {name.partition("@")[2] for name in (*summary.seconds, *summary.unchanged) if name.startswith("register@")}
    for name in load().models:
        if name in registered:
            reporter.begin(f"promote {name}")
            state = judge(name, return_state=True)
            if _is_completed(state, f"promote {name}", summary, reporter):
                summary.decisions[name], summary.reasons[name] = cast(tuple[str, str], state.result())
    if summary.decisions:
        products = judge_products(return_state=True)
        if _is_completed(products, "promote products", summary, reporter):
            summary.products = cast(dict[str, int], products.result())


def _is_completed(state: State[Any], name: str, summary: Summary, reporter: Reporter) -> bool:
    if not state.is_completed():
        reporter.fail()
        summary.failed[name] = state.message or f"{name} failed"
    return state.is_completed()


def run_stages_and_gate(force: bool, promote: bool, reporter: Reporter) -> Summary:
    """Stages, then the gate, inside a flow that holds the workspace. Raises PipelineError when anything failed."""
    load()
    summary = Summary()
    run_stages(summary, force, reporter)
    if promote:
        run_gate(summary, reporter)
    if summary.failed:
        raise PipelineError(summary)
    if promote:
        workspace.record_judgement()
    return summary


def _run(force: bool, promote: bool, reporter: Reporter) -> Summary:
    with workspace.lock():
        if not force and workspace.up_to_date(promote):
            get_run_logger().info("nothing to do")
            return Summary(nothing_to_do=True)
        return run_stages_and_gate(force, promote, reporter)


@flow(name="pipeline")
def pipeline(force: bool = False, promote: bool = True) -> Summary:
    """Photographs to promoted models. `force` runs every stage again; without `promote` the registry's champions stay.

    Raises BusyError when another pipeline holds the workspace, PipelineError when a stage failed (the others are done).
    """
    return _run(force, promote, Silent())


def reported_pipeline(reporter: Reporter) -> Flow[..., Summary]:
    """The flow `pipeline` whose progress a reporter follows."""

    @flow(name="pipeline")
    def pipeline(force: bool = False, promote: bool = True) -> Summary:
        return _run(force, promote, reporter)

    return pipeline
