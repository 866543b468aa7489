"""Whether the SIMs are well: what is left on them, whether what they send arrives, and a canary that proves it."""
