"""The command line: parses words, calls one method of the facade, prints the answer. Start with `app`."""
