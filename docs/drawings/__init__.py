"""The drawings of the pages: `python -m docs.drawings` writes docs/images/*.svg; a test holds them fresh."""
