"""The boards: one file each, or one for boards that share nearly everything."""
