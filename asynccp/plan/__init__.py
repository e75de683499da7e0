"""What goes where, settled before the first byte. Pure."""
