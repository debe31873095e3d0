"""The parts that every Numba kernel is made of."""
