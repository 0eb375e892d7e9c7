"""A study: what it costs, and running it."""
