"""Multi-label classification: each text has any number of labels."""
