"""A walk over pixels on the CPU: the whole model, pixel after pixel, in one compiled call for a stretch of a row."""
