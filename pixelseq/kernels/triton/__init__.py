"""The parts that every Triton kernel is made of."""
