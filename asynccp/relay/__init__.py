"""Plans that are carried out elsewhere: by other processes."""
