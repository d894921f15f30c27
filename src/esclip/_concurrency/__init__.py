"""Threads: streams with backpressure, cancellation, forked processes."""
