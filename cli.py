from prmkit.commands import main

main()
