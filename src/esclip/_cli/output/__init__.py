"""What the command line prints: lines, tables, JSON, progress, pages. All of it goes through `console`."""
