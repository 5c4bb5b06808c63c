"""Training data prepared once: the token rows of a corpus, kept in files that every training maps into its memory.

They lie in ``$PRMKIT_CACHE/prepared``, under a key of everything that decides them.
"""
