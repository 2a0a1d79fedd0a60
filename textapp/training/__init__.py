"""Training: from files to a run folder, with a `fit` that a killed process can resume."""
