"""What happened, in MLflow: one run for each training digest, which its tag identifies.

The store is `mlflow.db` and `mlartifacts/` in the project's root; `MLFLOW_TRACKING_URI` names another one. MLflow takes
seconds to import, so it is imported where it is used.
"""

from retouch.tracking.client import connect, is_remote, uri
from retouch.tracking.project import root
from retouch.tracking.provenance import lineage
from retouch.tracking.runs import experiment, find_run, finish_run, log_files, log_metrics, log_picture, start_run

__all__ = [
    "connect",
    "experiment",
    "find_run",
    "finish_run",
    "is_remote",
    "lineage",
    "log_files",
    "log_metrics",
    "log_picture",
    "root",
    "start_run",
    "uri",
]
