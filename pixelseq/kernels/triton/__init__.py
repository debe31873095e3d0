"""What every Triton kernel is made of."""
