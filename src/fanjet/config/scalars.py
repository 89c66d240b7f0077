"""Reads and writes numbers and booleans as text, as the contract does.

See 04 §1.4, §1.5.3.
"""

import math
import re
from decimal import Decimal

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_INT = re.compile(r"[+-]?(0[xX](_?[0-9a-fA-F])+|0[oO](_?[0-7])+|0[bB](_?[01])+|0(_?[0-7])*|[1-9](_?[0-9])*)", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_bool(text: str) -> bool:
    """Return the boolean.

    Raises ValueError for every text but the twelve of 04 §1.5.3.
    """
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f'"{text}" is not a boolean')


def parse_int(text: str) -> int:
    """Return the integer that a text stands for; raise ValueError if there is none.

    The text is decimal, or has the prefix `0x`, `0o`, `0b` or a leading zero for octal; `_` may be between digits.
    """
    if not _INT.fullmatch(text):
        raise ValueError(f'"{text}" is not an integer')
    digits = text.lstrip("+-").replace("_", "")
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    number = int(digits, 8 if octal else 0)
    return -number if text[0] == "-" else number


def number_text(number: float) -> str:
    """Return the shortest decimal text of a number as a 64-bit float.

    The text never has an exponent.
    """
    as_float = float(number)
    if math.isinf(as_float) or math.isnan(as_float):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(as_float, "NaN")
    text = f"{Decimal(repr(as_float)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def clean_text(text: str) -> str:
    """Replace the characters that UTF-8 cannot encode.

    These are lone surrogates, from JSON escapes or undecodable variables.
    """
    return _SURROGATE.sub("\ufffd", text) if _SURROGATE.search(text) else text
