"""`python -m gemtrain`."""

from gemtrain.cli import main

if __name__ == "__main__":
    main()
