"""How to talk to modems and providers, and what the radio standards say. Never imports `bridge`."""
