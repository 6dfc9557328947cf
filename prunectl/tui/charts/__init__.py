"""Charts as lines of text: NumPy in, characters out, no Textual.

A line chart is braille dots (two by four a cell). Points are decimated by minimum and maximum
before they are drawn, what is not finite is a gap with a mark, and each series has a colour, a dash
and a glyph, so that it is told from the others without colour too.
"""
