"""Registered models: versions, the promotion decision, rollback, and what is serving.

Versions live in MLflow. Every key of `models` in params.yaml is a registered model with the aliases `challenger` and
`champion`. Every task has a product, such as `harmonizer`: a registered model whose champion holds the best champions of all
models of the task, one for each variant of inputs.
"""

CHAMPION = "champion"
CHALLENGER = "challenger"
