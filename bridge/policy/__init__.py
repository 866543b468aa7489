"""Decisions: facts in, a value out. No I/O, no clock, no randomness, no tasks."""
