"""NCRONTAB, the schedules of the Functions host's timer: read by croniter, as NCrontab means them.

Refused is what croniter takes and NCrontab does not (`L`, `#`, `H`, a 7 for Sunday), and what they take
differently (a range from high to low). Sources: azure-facts A1.
"""

from __future__ import annotations

import re

from croniter import CroniterBadDateError, croniter

_MONTHS = "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"
_DAYS = "sun", "mon", "tue", "wed", "thu", "fri", "sat"
_PART = re.compile(r"(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/[0-9]{1,2})?")


class Ncrontab:
    """A schedule in UTC.

    Args:
        expression: six fields, seconds first.

    Raises:
        ValueError: it cannot be used; the text says why and can follow the expression in a sentence.
    """

    def __init__(self, expression: str) -> None:
        fields = expression.lower().split()
        if len(fields) != 6:
            raise ValueError(f"has {len(fields)} fields")
        *times, month, day = fields
        fields = [*times, _numbered(month, _MONTHS, 1), _numbered(day, _DAYS, 0)]
        for part in ",".join(fields).split(","):
            match = _PART.fullmatch(part)
            if match is None or (match[2] and int(match[2]) < int(match[1])):
                raise ValueError(f"has {part!r}, which is neither *, a number, a range, nor a step of one")
        if any(int(value) > 6 for value in re.findall(r"(?<!/)\b[0-9]+", fields[-1])):
            raise ValueError("has a day of the week above 6; Sunday is 0")
        self._expression = " ".join(fields)
        try:
            self.next_after(0.0)
        except CroniterBadDateError:
            raise ValueError("names a date that never comes") from None
        except ValueError as error:
            raise ValueError(f"cannot be read: {error}") from None

    def next_after(self, moment: float) -> float:
        """Return when it is first due after a moment; both in seconds since 1970."""
        # A day has to match both its fields; cron, and so croniter by itself, takes either.
        found = croniter(self._expression, moment, second_at_beginning=True, day_or=False)
        return float(found.get_next(float))


def _numbered(field: str, names: tuple[str, ...], first: int) -> str:
    for number, name in enumerate(names, first):
        field = field.replace(name, str(number))
    return field
