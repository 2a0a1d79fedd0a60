"""The command line. Each command parses its arguments, builds a config and calls one function."""
