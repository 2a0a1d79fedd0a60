"""From files to batches: readers, splits, built-in samples, tf.data pipelines."""
