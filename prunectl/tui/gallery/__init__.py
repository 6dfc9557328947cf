"""Which samples are looked at side by side, and their pictures. NumPy only, no screen."""
