"""The figures that README.md states, measured on this machine: `python -m benchmarks`. README.md here says how."""
