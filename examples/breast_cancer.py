"""Breast cancer: what the tutorial's perceptron does with real data, judged on five splits.

569 tumours, 30 measures of cell nuclei each; benign or malignant (needs scikit-learn, which has the
table). What to look at: one straight cut through 30 dimensions is right for about 98 of 100; the
measures must be standardized first, or σ saturates and nothing is learned.
"""

from importlib.util import find_spec

import numpy as np

from tinygrad_slp import nn, optim
from tinygrad_slp.data import Standardizer, load_breast_cancer, train_test_split
from tinygrad_slp.metrics import accuracy, roc_auc
from tinygrad_slp.train import fit

if find_spec("sklearn") is None:
    raise SystemExit("scikit-learn is not installed: pip install 'tinygrad-slp[sklearn]'")


def train(X, y, rng):
    """A perceptron: ŷ = σ(w·x + b), fitted by its log-likelihood, with weights held small."""
    model = nn.Perceptron(X.shape[1], rng=rng)
    optimizer = optim.Adam(model.parameters(), lr=0.03, weight_decay=1e-3)
    fit(model, (X, y.astype(float)), nn.binary_cross_entropy, optimizer, epochs=50, progress=False)
    return model


def main():
    X, y = load_breast_cancer()
    print(f"{len(y)} tumours, {np.mean(y):.1%} of them benign: to always say so is right as often.")
    found = []
    for split in range(5):
        X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, rng=split)
        scale = Standardizer().fit(X_train)  # to the training rows only: the test stays unseen
        model = train(scale.transform(X_train), y_train, rng=split)
        p = model(scale.transform(X_test)).data
        found.append(accuracy(y_test, p >= 0.5))
        missed = np.sum((y_test == 0) & (p >= 0.5))
        print(
            f"split {split}: test accuracy {found[-1]:.3f}, ROC-AUC {roc_auc(y_test, p):.3f}, "
            f"{missed} of {np.sum(y_test == 0)} malignant ones missed"
        )
    print(f"mean test accuracy over 5 splits: {np.mean(found):.4f} ± {np.std(found):.4f}")

    raw = train(X_train, y_train, rng=0)(X_test).data
    print(f"the same without standardizing:   {accuracy(y_test, raw >= 0.5):.4f}")


if __name__ == "__main__":
    main()
