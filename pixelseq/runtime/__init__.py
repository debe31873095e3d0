"""What is not about images: files, signals, processes, command lines, JSON."""
