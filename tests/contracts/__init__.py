"""What every implementation of a seam must do: each clause of a protocol is a test, each implementation a parameter."""
