"""Other people's PRMs, without their code."""
