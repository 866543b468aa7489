"""The way of a message out: intake, dispatch, channel, reports."""
