"""The boxes of `test_commands`, for all tests here."""

from .test_commands import box, box_of, made, place

__all__ = ["box", "box_of", "made", "place"]
