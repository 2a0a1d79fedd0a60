"""A server of bundles: predictions over HTTP, without TensorFlow. `textapp serve` runs it (extra `serve`)."""
