"""The bytes of a result's file as the result, with every field checked against its annotation."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.core.attribution import Attribution
from workbench.core.interactions import Interactions
from workbench.core.markup import clean
from workbench.core.result_fields import Reading, WrongError, check_shapes, check_used
from workbench.core.result_writing import VERSION
from workbench.core.tensor_file import damaged, in_words, table_in, unpacked
from workbench.errors import InputError

Result = Attribution | Interactions

_RESULTS: dict[str, type[Result]] = {"Attribution": Attribution, "Interactions": Interactions}


def result_in(data: bytes, shown: str, methods: Mapping[str, type]) -> Result:
    """The result that a file holds.

    Args:
        data: the file's bytes.
        shown: its name, for messages.
        methods: the classes of recipes that may be made, by name.

    Raises:
        UnsafeFileError: the file is damaged or contradicts itself.
        InputError: it is of a newer version, by a method that is not among these, or has invalid values.
    """
    arrays, text = unpacked(data, shown)
    content = table_in(text, shown)
    version, of = content.get("version"), content.get("of")
    if set(content) != {"version", "of", "rows", "result"} or not isinstance(of, str):
        raise damaged(shown, "it does not say which result it holds")
    if type(version) is not int or version != VERSION or of not in _RESULTS:
        raise InputError(
            f"A result of version {VERSION} is needed, but {shown!r} holds {clean(of)!r} of version "
            f"{in_words(version)}. Read it with a newer workbench."
        )
    reading = Reading(arrays, methods)
    try:
        reading.read_rows(content["rows"])
        result: Result = reading.made(_RESULTS[of], content["result"], "", 0)
        check_used(reading)
        check_shapes(result)
    except WrongError as error:
        raise damaged(shown, str(error)) from None
    except InputError as error:
        raise InputError(f"{shown!r} holds no result that can be used here. {error}") from None
    return result
