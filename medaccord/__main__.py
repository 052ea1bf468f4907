"""``python -m medaccord``: the command line."""

from medaccord.cli import main

if __name__ == "__main__":
    main()
