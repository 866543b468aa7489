"""One suite for every store: what the business may rely on, whatever is underneath."""
