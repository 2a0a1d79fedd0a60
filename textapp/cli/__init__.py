"""The command line: parses, builds a config, calls one function."""
