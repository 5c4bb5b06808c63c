"""What every stage does alike: its folder, whole files, ranks and seeds."""
