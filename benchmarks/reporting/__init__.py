"""Code shared by the benchmark suites: ratios, tables, pictures and environments."""
