"""JSON Schemas of spec, summary and events, generated from the code that reads and writes them."""
