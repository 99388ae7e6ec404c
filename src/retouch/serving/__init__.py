"""Models as others run them: the MLflow package."""
