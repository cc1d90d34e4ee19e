"""Tables that come with scikit-learn: X (n, d) float64 and classes y (n,) int64.

Both are among its "toy datasets", which need no download:
https://scikit-learn.org/stable/datasets/toy_dataset.html
"""

from typing import Any

import numpy as np

Data = tuple[np.ndarray, np.ndarray]


def load_breast_cancer() -> Data:
    """Wolberg, Mangasarian and Street 1995: X (569, 30), measures of cell nuclei; y is 0 for
    malignant, 1 for benign.

    Raises:
        ImportError: scikit-learn is not installed; the message says how to install it.
    """
    return classification(datasets().load_breast_cancer)


def load_digits() -> Data:
    """Alpaydin and Kaynak 1998: X (1797, 64), handwritten digits of 8x8 pixels from 0 to 16, row
    by row; y is the digit.

    Raises:
        ImportError: scikit-learn is not installed; the message says how to install it.
    """
    return classification(datasets().load_digits)


def datasets() -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError(
            "this table comes with scikit-learn: pip install 'tinygrad-slp[sklearn]'"
        ) from None
    return datasets


def classification(load: Any) -> Data:
    X, y = load(return_X_y=True)
    return X, y.astype(np.int64)
