"""Which tokens and which steps made a PRM's score?"""

from prmkit.attribution.record import Attribution, StepInfluence, TokenAttribution, first_bad_step

__all__ = ["Attribution", "StepInfluence", "TokenAttribution", "first_bad_step"]
