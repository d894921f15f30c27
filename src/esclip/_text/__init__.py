"""Text from outside: escaped for terminals, secrets masked, normalized for comparison."""
