"""`python -m esclip`: the same as `esclip`."""

from esclip._cli.app import main

main()
