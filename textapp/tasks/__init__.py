"""The tasks, one folder each, with the contract of `textapp.task`."""
