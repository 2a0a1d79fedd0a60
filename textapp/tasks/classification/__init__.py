"""Classification: a text has one of some labels."""
