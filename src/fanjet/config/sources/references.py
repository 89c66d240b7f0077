"""Resolves `${FANJET_VAR_NAME}` references in the values of maps.

They keep secrets out of the file (04 §2.2).
"""

import re
from collections.abc import Mapping

from fanjet.config.errors import MisfitError
from fanjet.config.scalars import clean_text

_REFERENCE = re.compile(r"\$\{((?:CENTRIFUGO|FANJET)_VAR_[^}]+)\}")


def expand_references(values: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return `values` with every reference replaced.

    Raises MisfitError for a variable that does not exist.
    """

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name not in variables:
            raise MisfitError(f'environment variable "{name}" not found')
        return clean_text(variables[name])

    return {name: _REFERENCE.sub(replace, value) for name, value in values.items()}
