"""`python -m gemwatch` is the command `gemwatch`."""

from gemwatch.cli import main

if __name__ == "__main__":
    main()
