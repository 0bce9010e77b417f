"""The speed benchmark of `jsorc render`, beside the tools people use today: docs/bench.md."""
