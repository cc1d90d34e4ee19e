"""Digits: handwriting of 8 x 8 pixels, read by a network with one hidden layer.

1797 digits (needs scikit-learn, which has them), a fifth of them to judge by, five times over. What
to look at: the accuracy, and the worst mistake itself, which you might make too.
"""

from importlib.util import find_spec

import numpy as np

from tinygrad_slp import nn, no_grad, optim, softmax
from tinygrad_slp.data import load_digits, train_test_split
from tinygrad_slp.metrics import accuracy, calibration, confusion_matrix, log_loss
from tinygrad_slp.train import fit

if find_spec("sklearn") is None:
    raise SystemExit("scikit-learn is not installed: pip install 'tinygrad-slp[sklearn]'")


def train(X, y, rng):
    """64 pixels, 128 hidden units of which half are dropped out in each step, 10 classes."""
    model = nn.MLP([64, 128, 10], dropout=0.5, rng=rng)
    optimizer = optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-2)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=60)
    history = fit(
        model, (X, y), nn.cross_entropy, optimizer, epochs=60, batch_size=64,
        callbacks=[schedule], progress=False,
    )  # fmt: skip
    return model, sum(history["seconds"])


def picture(pixels):
    """Text that looks like the digit: two characters a pixel, darker where there is more ink."""
    return "\n".join("".join(2 * " ░▒▓█"[int(4 * p)] for p in row) for row in pixels.reshape(8, 8))


def main():
    X, y = load_digits()
    X = X / 16
    found = []
    for split in range(5):
        X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, rng=split)
        model, seconds = train(X_train, y_train, rng=split)
        with no_grad():
            p = softmax(model(X_test)).data
        guess = p.argmax(axis=1)
        found.append(accuracy(y_test, guess))
        print(
            f"split {split}: test accuracy {found[-1]:.3f}, log-loss {log_loss(y_test, p):.3f}, "
            f"calibration error {calibration(y_test, p).error:.3f}; trained in {seconds:.2f} s"
        )
    print(f"mean test accuracy over 5 splits: {np.mean(found):.4f} ± {np.std(found):.4f}")

    print("\nThe last split; rows are the truth, columns the guess:")
    print(confusion_matrix(y_test, guess))
    worst = np.argmin(p[np.arange(len(p)), y_test])
    print(
        f"\nThe worst mistake: true class {y_test[worst]}, predicted {guess[worst]} "
        f"with p = {p[worst, guess[worst]]:.2f}\n{picture(X_test[worst])}"
    )


if __name__ == "__main__":
    main()
