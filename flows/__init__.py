"""Orchestration with Prefect: when, in which order, and what is promoted. DVC owns what changed, MLflow what happened."""
