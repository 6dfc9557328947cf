"""The console: a Textual application that reads run folders and owns none of them."""
