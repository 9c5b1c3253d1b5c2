"""``python -m sparring``: the command line, by the Python that is named."""

from sparring.cli import program

if __name__ == "__main__":
    program()
