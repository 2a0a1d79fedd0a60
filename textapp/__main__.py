"""`python -m textapp`: the command `textapp`, where no script of that name is on the path."""

from textapp.cli.main import main

if __name__ == "__main__":
    main()
