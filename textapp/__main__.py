"""`python -m textapp`: the command line, where scripts of the environment are not on the path."""

from textapp.cli.main import main

main()
