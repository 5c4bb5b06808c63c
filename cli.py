"""The launcher for programs that want a file, such as ``torchrun cli.py train RECIPE``."""

from prmkit.commands import main

if __name__ == "__main__":  # vLLM starts its process by importing this file again
    main()
