"""GSM modems: the AT dialogue, bring-up, sending, the message storage, and profiles of what families do differently."""
