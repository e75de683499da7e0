"""Bytes ⇄ events, without any input or output: exec messages, the dialogue with the pod, tar archives."""
