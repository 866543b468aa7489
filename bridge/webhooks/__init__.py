"""Events on their way out: to webhooks and to mail addresses."""
