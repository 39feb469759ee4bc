"""The boards: a file for each, or for those that share nearly everything."""
