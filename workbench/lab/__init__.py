"""The compression lab: a model and its copies, explained alike, judged together."""
