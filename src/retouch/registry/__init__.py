"""Registered models: packaging, versions, the promotion decision, rollback, and what is serving.

Versions live in MLflow. Every entry under `models` in params.yaml is a registered model of that name with the aliases
`challenger` and `champion`; the product model `harmonizer` is a copy of the best champion.
"""

PRODUCT = "harmonizer"
CHAMPION = "champion"
CHALLENGER = "challenger"
