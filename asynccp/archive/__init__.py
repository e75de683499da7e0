"""Archives and what their bytes mean: tar, its headers, its layout, its compression. No input or output."""
