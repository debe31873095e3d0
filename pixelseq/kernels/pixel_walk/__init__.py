"""The walk over pixels on the CPU: one compiled call runs the whole model, pixel by pixel, over a stretch of a row."""
