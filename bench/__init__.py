"""Reproducible benchmarks: ratios measured side by side, never absolute promises. `make bench` runs them."""
