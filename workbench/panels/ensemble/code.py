"""The Ensemble panel's study as code that runs without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.core import Study
from workbench.panels.ensemble import shares
from workbench.panels.kit import study_as_code


def ensemble_code(
    study: Study,
    inputs: str,
    sources: Sequence[str],
    picked: Sequence[str],
    weights: Sequence[float],
    options: Mapping[str, str],
    *,
    whole: bool,
) -> str:
    """Code that builds the ensemble, explains it with its members and compares the members.

    Args:
        study: of one ensemble.
        inputs: an expression for the rows.
        sources: expressions for the members, or a single one for the ensemble they are taken from.
        picked: the names of the members that are taken from it; () where they are given one by one.
        weights: of the members, or () where they are fixed.
        options: further arguments of `vote`, as code.
        whole: whether an ensemble from the bench is used unchanged.
    """
    given = "" if not weights or tuple(weights) == shares.equal(len(weights)) else list(weights)
    weighted = f", weights={given}" if given else ""
    more = "".join(f", {name}={value}" for name, value in options.items())
    if whole:
        model = f"model = {sources[0]}\n"
    elif picked:
        model = (
            f"taken = {list(picked)!r}\n"
            f"members = [one for one in {sources[0]}.combination.members if one.name in taken]\n"
        )
    else:
        model = "members = [\n" + "".join(f"    {one},\n" for one in sources) + "]\n"
    if not whole:
        model += f"model = ensembles.vote(members{weighted}{more})\n"
    return (
        "import workbench as wb\n"
        "from workbench import data, ensembles, methods\n"
        "from workbench.compare import disagreement\n"
        "\n"
        f"inputs = {inputs}\n"
        f"{model}"
        f"{study_as_code(study)}"
        "\n"
        "# How far the members give the same reasons.\n"
        f"found = disagreement(attributions[0]{weighted})\n"
    )


def vote_options(how: str | None, *, like: bool = False) -> dict[str, str]:
    """The arguments of `vote` for a way to combine, as code.

    >>> vote_options("hard"), vote_options("logit")
    ({'how': "'hard'"}, {'space': "'logit'"})
    """
    given = {"like": "inputs"} if like else {}
    if how == "hard":
        return {"how": repr("hard"), **given}
    return given if how in (None, "raw") else {"space": repr(how), **given}
