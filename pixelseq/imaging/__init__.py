"""Pictures, levels, masks and text: everything between a file and integer levels."""
