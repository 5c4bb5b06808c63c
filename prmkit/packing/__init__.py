"""Trees as token rows: the one tokenisation of steps, and rows packed into sequences and batches."""
