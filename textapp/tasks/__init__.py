<<<<<<< HEAD
"""Tasks, one folder each: what `textapp.task` asks of it."""
=======
"""The tasks: one folder each."""
>>>>>>> vec
