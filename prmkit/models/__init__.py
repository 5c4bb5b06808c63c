"""The Process Reward Model: backbone, scalar head, tokenisation and checkpoints."""
