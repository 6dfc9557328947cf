"""The stages of the loop: what each reads, what it seals. One file a stage."""
