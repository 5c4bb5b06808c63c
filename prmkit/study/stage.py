"""The stage ``study``, for the table of stages. Its verb runs it: a study is many runs of other stages."""

from prmkit.recipe.stage import Stage
from prmkit.report.study_result import StudyResult
from prmkit.study.recipe import StudyRecipe

STAGE = Stage(recipe=StudyRecipe, result=lambda recipe: StudyResult)
