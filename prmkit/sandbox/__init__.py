"""Untrusted programs, run in fresh processes that can neither read, write nor talk to anything of the machine."""
