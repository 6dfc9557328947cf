"""What the Run screen shows, one file a panel. Each is a pure function from what is known of a run
to lines of text, so that none needs a terminal to be tested."""
