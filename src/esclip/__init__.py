"""Finds pictures by what they show."""
