"""Front ends of prunectl."""
