"""What the suites of benchmarks have in common: ratios, tables, pictures, environments."""
