"""What a ConvergenceWarning says: why a fit stopped short of tol and what would help."""

import math
from collections.abc import Callable, Iterable

from finitesum import theory
from finitesum._findings import Finding
from finitesum._fit_result import FitResult
from finitesum.linear._solve import Control, relative_gap

# More than so many times the epochs run: max_iter is not what to change.
_REACHABLE = 20

# Of these solvers steps and their number hardly depend on the scales of rows and columns.
_INSENSITIVE_TO_SCALE = ("newton", "newton-cg", "cd")


def convergence_message(
    estimator_name: str,
    results: list[FitResult],
    control: Control,
    findings_of: Callable[[int], Iterable[Finding]],
) -> str | None:
    """Say what stopped the fit short of tol, how far it came and what to change.

    `findings_of` an output names what hurts it most first; it is called only where that is used.
    """
    short = [k for k, r in enumerate(results) if not r["converged"] and r["stopping"] != "callback"]
    if not short:
        return None
    output = max(short, key=lambda k: relative_gap(results[k]))
    worst = results[output]
    gap = relative_gap(worst)
    reached = (
        f"a relative duality gap of {gap:.1e}" if math.isfinite(gap) else "no finite duality gap"
    )
    which = (
        f" ({len(short)} of {len(results)} outputs, the worst of them here)"
        if len(results) > 1
        else ""
    )
    solver, epochs = worst["solver"], worst["n_iter"]
    cause, advice = {
        "no progress": (
            "rounding keeps every further step from lowering the objective",
            "The coefficients are as good as this data allows.",
        ),
        "time_limit": (
            "time_limit ended the fit",
            "The coefficients are usable as they are. Raise time_limit or tol to converge.",
        ),
        "interrupted": (
            "the fit was interrupted",
            "The coefficients are usable as they are; warm_start=True continues from them"
            + ("." if math.isfinite(gap) else ", and finitesum.certify tells how good they are."),
        ),
    }.get(worst["stopping"], ("the fit did not converge", ""))
    if worst["stopping"] == "no progress":
        change = _first_change(findings_of(output)) or "Raise tol or scale the features."
        advice = f"{advice} {change}"
    elif not advice:
        found = findings_of(output)
        if solver in _INSENSITIVE_TO_SCALE:
            found = (f for f in found if f.name in ("tol_below_precision", "separable"))
        advices = [_first_change(found), _more_epochs(worst, control.tol)]
        advice = " ".join(filter(None, advices))
        advice = advice or "Raise max_iter or tol, or try another solver."
    return (
        f"{estimator_name}: {cause}{which}: solver {solver!r} reached {reached} "
        f"in {epochs} epochs, tol={control.tol:g}. {advice}"
    )


def _first_change(found: Iterable[Finding]) -> str | None:
    for finding in found:
        return f"{finding.message[0].upper()}{finding.message[1:]}. {finding.change}"
    return None


def _more_epochs(result: FitResult, tol: float) -> str | None:
    """Advise the max_iter that reaches tol at the rate of this fit, if that is within reach."""
    gap, history = relative_gap(result), result["history"]
    tail = {key: values[len(values) // 2 :] for key, values in history.items()}
    try:
        per_pass = theory.rate(tail)
    except ValueError:  # no finite gap, or a single check
        return None
    if not (per_pass < 0.0 < tol < gap):
        return None
    passes_per_epoch = history["passes"][-1] / result["n_iter"]
    needed = result["n_iter"] + math.log(gap / tol) / (-per_pass * passes_per_epoch)
    if needed > _REACHABLE * result["n_iter"]:
        return None
    return f"At the rate of this fit, max_iter={math.ceil(1.2 * needed)} would reach tol."
