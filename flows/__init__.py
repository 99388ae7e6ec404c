"""Orchestration with Prefect: when, in which order, and what is promoted. DVC knows what changed, MLflow what happened."""
