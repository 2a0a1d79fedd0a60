"""Classification: each text has exactly one label."""
