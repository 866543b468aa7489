"""The way of a message in: received, known or new, whole or a part, stored before the SIM may forget it."""
