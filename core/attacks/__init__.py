"""Adversarial examples: the ball they lie in, how they are found, how robust a net is to them."""
