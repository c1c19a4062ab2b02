# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m visionbias` is the command line."""

import sys


def main() -> None:
    """Entry point: Ctrl-C is one line even before the commands are there to hear it."""
    try:
        from visionbias.cli import main as run

        run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
