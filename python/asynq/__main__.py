"""`python -m asynq`: commands of the package."""

import sys


def main():
    """Runs the command that the arguments name."""
    if sys.argv[1:2] == ["explain"]:
        from asynq._explain.command import main as explain

        sys.exit(explain(sys.argv[2:]))
    print("usage: python -m asynq explain [-o FILE] PROGRAM.py [ARGUMENT ...]", file=sys.stderr)
    sys.exit(0 if sys.argv[1:2] in (["-h"], ["--help"]) else 2)


if __name__ == "__main__":
    main()
