"""Ten small studies whose results are kept in files: what a change of the code must not change."""
