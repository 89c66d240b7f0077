"""`python -m fanjet`, and the `fanjet` command."""

import sys

from fanjet.cli.main import main as run


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(run())


if __name__ == "__main__":
    main()
