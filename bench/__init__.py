"""The speed benchmarks, beside the tools people use today: docs/bench.md."""
