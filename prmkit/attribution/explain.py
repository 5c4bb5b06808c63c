"""Attribution of step scores with Captum.

Something is taken away by putting a neutral token (the end of a step) in its place: a zero embedding is a singular
point of a norm that divides by the size of its input, from which integrated gradients do not converge.

Shapes: B copies of a solution, T tokens, S steps, H hidden size.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from captum.attr import (
    FeatureAblation,
    LayerGradientXActivation,
    LayerIntegratedGradients,
    ShapleyValueSampling,
)
from torch import Tensor, nn

from prmkit.attribution.record import Attribution, StepInfluence, TokenAttribution, first_bad_step
from prmkit.errors import InputError, RunError
from prmkit.models.checkpoint import LoadedPRM
from prmkit.tree import Problem

MOST_DELTA = 0.05
"""Integrated gradients that leave a larger share of the change unexplained are refused."""

_FIRST_STEPS, _MOST_STEPS = 64, 2048
_ROWS_AT_ONCE = 32
_ABLATED_SHARE = 0.1
_RANDOM_ABLATIONS = 20


def attribute(
    loaded: LoadedPRM,
    problem: Problem,
    steps: Sequence[str],
    *,
    step: int | None = None,
    samples: int = 25,
    seed: int = 0,
) -> Attribution:
    """Attribute the scores of a solution: one score to its tokens, every score to the steps.

    Args:
        loaded: a PRM, best in float32: short number types make the convergence delta noisy.
        problem: what is solved.
        steps: of the solution.
        step: whose score is attributed to tokens; by default the first one below 0.5, or the lowest.
        samples: random orders of the steps for Shapley values.
        seed: of these, and of the random ablations.

    Raises:
        InputError: there is no step, no such step, or the solution is longer than the PRM's context.
        RunError: integrated gradients do not converge.
    """
    if not steps:
        raise InputError("no step to explain", where=problem.id, expected="a solution of one step or more")
    solution = _Solution(loaded, problem, steps)
    scores = torch.sigmoid(solution.logits(solution.ids_T[None]))[0].tolist()
    explained = first_bad_step(scores) if step is None else step
    if not 0 <= explained < len(steps):
        raise InputError("no such step", where=problem.id, got=explained, expected=f"0 to {len(steps) - 1}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        by_token = (_integrated_gradients(solution, explained), _gradient_times_embedding(solution, explained))
        by_step = (_ablation(solution), _shapley(solution, samples))
    return Attribution(
        problem=problem.prompt,
        steps=tuple(steps),
        scores=tuple(scores),
        explained=explained,
        tokens=tuple(str(loaded.encoder.tokenizer.decode([token])) for token in solution.ids_T.tolist()),
        step_of=tuple(number - 1 for number in solution.mask_T.tolist()),
        neutral=str(loaded.encoder.tokenizer.decode([solution.neutral])),
        by_token=by_token,
        by_step=by_step,
    )


class _Solution:
    """A solution in token ids, and its scores when parts of it are other tokens.

    ``mask_T`` is 0 for the problem and 1 + its step for every other token, as Captum groups features.
    """

    def __init__(self, loaded: LoadedPRM, problem: Problem, steps: Sequence[str]) -> None:
        ids, ends = loaded.encoder.path_ids(problem, steps)
        context = loaded.prm.context
        if len(ids) > context:
            raise InputError(
                "the solution is longer than the PRM's context",
                where=problem.id,
                got=f"{len(ids)} tokens",
                expected=f"at most {context}",
            )
        device = next(loaded.prm.parameters()).device
        self.prm, self.ends = loaded.prm.eval(), ends
        self.ids_T = torch.tensor(ids, device=device)
        starts = [len(loaded.encoder.problem_ids(problem)), *(end + 1 for end in ends[:-1])]
        self.mask_T = torch.zeros(len(ids), dtype=torch.long, device=device)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1):
            self.mask_T[start : end + 1] = number
        self.neutral = loaded.encoder.step_end_ids[-1]

    @property
    def embedding(self) -> nn.Module:
        """Where token attribution ends."""
        return self.prm.model.get_input_embeddings()

    def logits(self, ids_BT: Tensor) -> Tensor:
        """[B, S]."""
        ends_BS = torch.tensor([self.ends] * len(ids_BT), device=ids_BT.device)
        return cast(Tensor, self.prm(ids_BT, torch.ones_like(ids_BT), ends_BS)).float()

    def logit(self, step: int) -> Callable[[Tensor], Tensor]:
        """A function of ids [B, T] that gives the logit [B] of a step's score."""
        return lambda ids_BT: self.logits(ids_BT)[:, step]

    def without_steps(self) -> Tensor:
        """[1, T]: the problem, and neutral tokens in place of all steps."""
        return torch.where(self.mask_T == 0, self.ids_T, self.neutral)[None]


def _integrated_gradients(solution: _Solution, step: int) -> TokenAttribution:
    """With as many points as it takes. Source: arXiv 1703.01365; the baseline is a text of neutral tokens."""
    method = LayerIntegratedGradients(solution.logit(step), solution.embedding)
    baseline_BT = torch.full_like(solution.ids_T, solution.neutral)[None]
    with torch.no_grad():
        change = float(solution.logit(step)(solution.ids_T[None]) - solution.logit(step)(baseline_BT))
    points = _FIRST_STEPS
    while True:
        values_BTH, delta = method.attribute(
            solution.ids_T[None],
            baselines=baseline_BT,
            n_steps=points,
            # A model with kinks gains nothing from a quadrature for smooth functions; its nodes cost it accuracy.
            method="riemann_trapezoid",
            internal_batch_size=_ROWS_AT_ONCE,
            return_convergence_delta=True,
        )
        if abs(float(delta)) < MOST_DELTA * abs(change) or 2 * points > _MOST_STEPS:
            break
        points *= 2
    if not abs(float(delta)) < MOST_DELTA * abs(change):
        raise RunError(
            f"integrated gradients of step {step} do not converge: {float(delta):.3g} of {change:.3g} is left "
            f"unexplained at {points} points. Load the PRM in float32, or explain another step."
        )
    return _token_attribution(solution, step, "integrated gradients", values_BTH, change, float(delta))


def _gradient_times_embedding(solution: _Solution, step: int) -> TokenAttribution:
    """One gradient. Source: first-order Taylor expansion at the embedded text; there is no baseline to add up to."""
    method = LayerGradientXActivation(solution.logit(step), solution.embedding)
    values_BTH = method.attribute(solution.ids_T[None])
    return _token_attribution(solution, step, "gradient x activation", values_BTH, None, None)


def _token_attribution(
    solution: _Solution, step: int, method: str, values_BTH: Tensor, change: float | None, delta: float | None
) -> TokenAttribution:
    values_T = values_BTH[0].sum(dim=-1).detach().float()
    readable = solution.ends[step] + 1
    count = max(1, round(_ABLATED_SHARE * readable))
    top = values_T[:readable].abs().topk(count).indices
    choices = [top, *(torch.randperm(readable)[:count].to(top.device) for _ in range(_RANDOM_ABLATIONS))]
    ablated_BT = solution.ids_T.repeat(len(choices), 1)
    for row, chosen in enumerate(choices):
        ablated_BT[row, chosen] = solution.neutral
    with torch.no_grad():
        falls = solution.logit(step)(solution.ids_T[None]) - solution.logit(step)(ablated_BT)
    return TokenAttribution(
        method=method,
        values=tuple(values_T.tolist()),
        change=change,
        delta=delta,
        ablation=float(falls[0]),
        random_ablation=float(falls[1:].mean()),
    )


def _ablation(solution: _Solution) -> StepInfluence:
    """Each step made neutral, alone."""
    return _step_influence(solution, "ablation", FeatureAblation, {})


def _shapley(solution: _Solution, samples: int) -> StepInfluence:
    """The mean over random orders of what a step adds to those before it. Source: Castro et al. 2009."""
    return _step_influence(solution, "Shapley values", ShapleyValueSampling, {"n_samples": samples})


def _step_influence(solution: _Solution, name: str, method: Any, options: dict[str, Any]) -> StepInfluence:
    steps = len(solution.ends)
    columns = []
    with torch.no_grad():
        for step in range(steps):
            values_BT = method(solution.logit(step)).attribute(
                solution.ids_T[None],
                baselines=solution.without_steps(),
                feature_mask=solution.mask_T[None],
                perturbations_per_eval=_ROWS_AT_ONCE,
                **options,
            )
            # The value of a group stands at each of its tokens: one of them is read, not their sum.
            values_S = values_BT[0, torch.tensor(solution.ends, device=values_BT.device)].float()
            columns.append([value if row <= step else 0.0 for row, value in enumerate(values_S.tolist())])
        whole, without = solution.logits(solution.ids_T[None])[0], solution.logits(solution.without_steps())[0]
    change = (whole - without).tolist()
    gaps = [abs(sum(column) - whole_change) for column, whole_change in zip(columns, change, strict=True)]
    return StepInfluence(
        method=name,
        matrix=tuple(tuple(row) for row in zip(*columns, strict=True)),
        change=tuple(change),
        gap=max(gaps),
    )
