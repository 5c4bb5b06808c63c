"""Parts of bench/data.py: the corpus and the model, and what is measured in processes of their own."""
