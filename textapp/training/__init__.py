"""Training: where a model trains, `fit` that survives being killed, what TensorBoard shows."""
