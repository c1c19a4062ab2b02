# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What must come out of the miniature study, because its networks were trained for it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "baseline"


@dataclass(frozen=True)
class Claim:
    """One network differs from the baseline in one number, by more than both intervals."""

    network: str
    column: str
    side: Literal["below", "above"]


CLAIMS = (
    Claim("blurred", "lpp", "above"),
    Claim("noise-trained", "peak_noise_sensitivity", "below"),
    Claim("highpass", "hpp", "above"),
    Claim("highpass", "spectral_bias", "above"),
    Claim("stylized", "shape_bias", "above"),
    Claim("textured", "shape_bias", "below"),
    Claim("grayscale", "color_reliance", "below"),
    Claim("attack-trained", "pgd", "above"),
)


@dataclass(frozen=True)
class Check:
    """One thing that was tested, and what was found."""

    name: str
    passed: bool | None  # None: it cannot be tested here
    detail: str


def check_calibration(summary: "pd.DataFrame") -> list[Check]:  # of the demo's run
    """Hold every claim against the summary; intervals must not overlap."""
    rows = summary.set_index("model")
    checks = []
    for claim in CLAIMS:
        column = claim.column
        own, base = rows.loc[claim.network], rows.loc[BASELINE]
        below, above = (own, base) if claim.side == "below" else (base, own)
        checks.append(
            Check(
                f"{claim.network} {claim.side} {BASELINE} in {column}",
                bool(below[f"{column}_high"] < above[f"{column}_low"]),
                " against ".join(
                    f"{row[column]:.3f} [{row[f'{column}_low']:.3f}, {row[f'{column}_high']:.3f}]"
                    for row in (own, base)
                ),
            )
        )
    return checks
