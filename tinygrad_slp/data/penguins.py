"""The Palmer penguins: three species measured on three islands of Antarctica, 2007 to 2009.

Horst, Hill and Gorman, palmerpenguins: Palmer Archipelago (Antarctica) penguin data, 2020,
doi:10.5281/zenodo.3960218; collected by Gorman, Williams and Fraser, Ecological sexual dimorphism
and environmental variability within a community of Antarctic penguins (genus Pygoscelis), 2014,
doi:10.1371/journal.pone.0090081, with the Palmer Station Long Term Ecological Research program.
Licence: CC0 1.0, public domain. `penguins.csv` is that of the package palmerpenguins 0.1.6.
"""

import csv
from pathlib import Path

import numpy as np

STRINGS = ("species", "island", "sex")


def load_penguins() -> dict[str, np.ndarray]:
    """The table as a dict of 8 columns, each of shape (344,).

    Strings: species (Adelie, Chinstrap, Gentoo), island (Biscoe, Dream, Torgersen), sex (female,
    male; "" where missing, 11 times). Float64: bill_length_mm, bill_depth_mm, flipper_length_mm,
    body_mass_g (NaN where missing, 2 times each), year.
    """
    with Path(__file__).with_name("penguins.csv").open(encoding="ascii", newline="") as file:
        header, *rows = csv.reader(file)
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    return {
        name: np.array(["" if cell == "NA" else cell for cell in cells])
        if name in STRINGS
        else np.array(["nan" if cell == "NA" else cell for cell in cells], dtype=float)
        for name, cells in columns.items()
    }
