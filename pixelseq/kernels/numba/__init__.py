"""What every Numba kernel is made of."""
