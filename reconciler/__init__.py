"""GitOps for work: tasks and hosts in git, workers on machines over SSH."""

__version__ = "0.1.0"
