"""The boxes of `test_commands`, for all tests here."""

from .test_commands import box, box_of, place

__all__ = ["box", "box_of", "place"]
