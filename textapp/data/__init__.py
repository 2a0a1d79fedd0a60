"""Examples on their way from files to batches: readers, splits, built-in samples, the tf.data pipeline."""
