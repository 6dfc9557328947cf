"""The parts of a report, one file each: facts in, markup out, None when there is nothing to say."""
