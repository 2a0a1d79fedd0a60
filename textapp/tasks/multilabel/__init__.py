"""Multi-label classification: a text has any number of some labels."""
