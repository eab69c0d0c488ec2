"""How long until the next high tide, in words."""

from datetime import timedelta

import humanize


def until_high_tide(hours: float) -> str:
    return humanize.naturaldelta(timedelta(hours=hours))
