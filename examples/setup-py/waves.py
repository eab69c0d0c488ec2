"""A wave in text."""


def wave(periods: int) -> str:
    return "∿" * periods
