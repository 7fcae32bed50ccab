"""The embedded local Azure: what the demo, the tests and the benchmarks run against. Not deployed."""
