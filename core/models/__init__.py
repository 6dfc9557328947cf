"""Networks, one file each: every net gives class logits and an embedding."""
