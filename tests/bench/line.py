"""A line of the serving table, and the ratios in it."""

import dataclasses
import statistics

from report import spread


@dataclasses.dataclass
class Line:
    """One line of the table. target and aim speak of the ratio's median."""
    what: str
    here: str
    reference: str
    ratio: list  # one a run; or the figure itself, where there is no reference
    form: str = "{:.2f}"
    target: float = None
    aim: float = None
    less: bool = False  # the smaller, the better

    def verdict(self):
        median = statistics.median(self.ratio)

        def holds(bound):
            return bound is not None and (median <= bound if self.less
                                          else median >= bound)
        if self.target is None:
            return ""
        return ("aim reached" if holds(self.aim) else
                "target reached" if holds(self.target) else "MISSED")

    def cells(self):
        bounds = ""
        if self.target is not None:
            bounds = f"at {'most' if self.less else 'least'} {self.target:g}"
        if self.aim is not None:
            bounds += f", aim {self.aim:g}"
        return [self.what, self.here, self.reference,
                spread(self.ratio, self.form), bounds, self.verdict()]


def ratios(ours, theirs):
    return [a / b for a, b in zip(ours, theirs)]
