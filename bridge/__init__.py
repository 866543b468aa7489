"""What the operator wants: who may send, when, by which way, what to do when it fails, what to remember."""

__version__ = "0.1.0"
