"""A checked budget as a table for people and as JUnit XML for machines."""

from __future__ import annotations

import html

from workbench.core import clean, printable, text_table
from workbench.lab.budget import Check, Checked


def table(checked: Checked) -> str:
    """The checks as aligned text, and one line that says how it ended.

    >>> print(table(Checked("net", (Check("int8", "flips", "≤ 2.0%", "0.5%", True),), rows=40)))
    net against 1 copy, 40 rows
    copy  check  allowed  found
    int8  flips  ≤ 2.0%   0.5%   held
    The budget is kept: 1 of 1 checks held.
    """
    head = ("copy", "check", "allowed", "found", "")
    rows = text_table(head, map(_line, checked.checks), numbers=False, indent="")
    broken = [check for check in checked.checks if not check.held]
    copies = len({check.model for check in checked.checks})
    title = (
        f"{clean(checked.reference)} against {copies} {'copy' if copies == 1 else 'copies'}, "
        f"{checked.rows} rows"
    )
    why = [
        f"{clean(check.model)}, {clean(check.what)}: {clean(check.reason, limit=400)}"
        for check in broken
        if check.reason
    ]
    notes = [f"Note: {clean(note, limit=400)}" for note in checked.notes]
    n = len(checked.checks)
    end = f"The budget is {'broken' if broken else 'kept'}: {n - len(broken)} of {n} checks held."
    sentences = [clean(sentence, limit=600) for sentence in checked.sentences]
    return "\n".join([title, rows, *sentences, *why, *notes, end])


def junit(checked: Checked, seconds: float = 0.0) -> str:
    """The checks as JUnit XML: one test suite, one test case per copy and check."""
    broken = sum(not check.held for check in checked.checks)
    name = _attribute(f"explanations of {checked.reference}")
    cases = "".join(_case(check) for check in checked.checks)
    notes = _text("\n".join((*checked.sentences, *checked.notes)))
    told = f"<system-out>{notes}</system-out>\n" if notes else ""
    counts = f'tests="{len(checked.checks)}" failures="{broken}" errors="0" skipped="0"'
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuites {counts} time="{seconds:.3f}">\n'
        f'<testsuite name={name} {counts} time="{seconds:.3f}">\n{cases}{told}</testsuite>\n</testsuites>\n'
    )


def failed_junit(message: str) -> str:
    """A study that could not be run, as JUnit XML with one error."""
    counts = 'tests="1" failures="0" errors="1" skipped="0"'
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuites {counts} time="0.000">\n<testsuite name="workbench check" {counts} time="0.000">\n'
        '<testcase classname="workbench check" name="the study runs" time="0.000">'
        f"<error message={_attribute(message)}/></testcase>\n</testsuite>\n</testsuites>\n"
    )


def _line(check: Check) -> tuple[str, str, str, str, str]:
    state = "held" if check.held else "BROKEN"
    return (
        clean(check.model), clean(check.what), clean(check.allowed), clean(check.found), state,
    )  # fmt: skip


def _case(check: Check) -> str:
    start = (
        f'<testcase classname={_attribute(check.model)} name={_attribute(check.what)} time="0.000"'
    )
    told = "".join(
        f"<property name={_attribute(name)} value={_attribute(value)}/>"
        for name, value in check.figures.items()
    )
    inside = f"<properties>{told}</properties>" if told else ""
    if not check.held:
        message = f"{check.found}, allowed {check.allowed}"
        text = f"{message}. {check.reason}" if check.reason else message
        inside += f'<failure message={_attribute(message)} type="budget">{_text(text)}</failure>'
    return f"{start}>{inside}</testcase>\n" if inside else f"{start}/>\n"


def _attribute(text: str) -> str:
    # Readers turn line breaks into spaces, unless they come as numbers.
    return '"' + html.escape(printable(text), quote=True).replace("\n", "&#10;") + '"'


def _text(text: str) -> str:
    return html.escape(printable(text), quote=False)
