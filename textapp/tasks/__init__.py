"""Tasks, one folder each: what `textapp.task` asks of it."""
