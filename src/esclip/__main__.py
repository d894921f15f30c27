"""`python -m esclip`: the same as `esclip`."""

from esclip._cli import main

main()
