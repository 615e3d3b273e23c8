"""``python -m minpy info``: describe the installation."""

from __future__ import annotations

import argparse
import sys

from minpy import info


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m minpy", description=__doc__)
    parser.add_argument("command", choices=["info"], help="info: versions, engine, devices, policy")
    parser.parse_args(arguments)
    return info.main()


if __name__ == "__main__":
    sys.exit(main())
