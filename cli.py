"""Launcher for torchrun, which wants a file; the app is prmkit.commands."""

from prmkit.commands import main

if __name__ == "__main__":  # vLLM starts its process by importing this file again
    main()
