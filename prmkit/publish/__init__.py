"""A checkpoint for others: the model card that says what it is, and its way to the Hugging Face hub."""
