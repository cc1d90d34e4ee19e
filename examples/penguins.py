"""Penguins: a table with words, numbers and gaps, from the file to the species of a new bird.

What to look at: the encoder says what it did with gaps; and which columns tell the species:
leaving out the island costs nothing, leaving out the length of the bill as well costs much.
"""

import numpy as np

from tinygrad_slp import nn, optim, softmax
from tinygrad_slp.data import Labels, TableEncoder, load_penguins, train_test_split
from tinygrad_slp.metrics import accuracy, balanced_accuracy, confusion_matrix
from tinygrad_slp.train import EarlyStopping, fit


def rows(table, chosen):
    return {name: column[chosen] for name, column in table.items()}


def train(table, y, y_val, val):
    """The encoder of a table, and a network fitted to what it makes of it."""
    encoder = TableEncoder().fit(table)
    X, X_val = encoder.transform(table), encoder.transform(val)
    model = nn.MLP([X.shape[1], 16, 3], rng=0)
    history = fit(
        model, (X, y), nn.cross_entropy, optim.Adam(model.parameters(), lr=0.01), epochs=100,
        validation=(X_val, y_val), callbacks=[EarlyStopping(patience=15)], progress=False,
    )  # fmt: skip
    return encoder, model, history


def predict_one(encoder, model, species):
    """A bird that is in no table, and whose flipper was not measured."""
    bird = {
        "island": ["Dream"], "bill_length_mm": [49.0], "bill_depth_mm": [19.0],
        "flipper_length_mm": [np.nan], "body_mass_g": [3700.0], "sex": ["female"],
    }  # fmt: skip
    p = softmax(model(encoder.transform(bird))).data[0]
    said = ", ".join(f"{name} {share:.3f}" for name, share in zip(species, p, strict=True))
    print(f"  a new bird, its flipper not measured: {said}\n")


def main():
    table = load_penguins()
    labels = Labels().fit(table["species"])
    y = labels.transform(table.pop("species"))
    del table["year"]
    print(f"{len(y)} penguins, {', '.join(labels.classes)}; columns: {', '.join(table)}")

    rest, test = train_test_split(np.arange(len(y)), stratify=y, rng=0)
    fitted, val = train_test_split(rest, stratify=y[rest], rng=1)
    print(f"{len(fitted)} to fit, {len(val)} to know when to stop, {len(test)} to judge by\n")

    for left_out in ((), ("island",), ("island", "bill_length_mm")):
        some = {name: column for name, column in table.items() if name not in left_out}
        encoder, model, history = train(rows(some, fitted), y[fitted], y[val], rows(some, val))
        guess = model(encoder.transform(rows(some, test))).data.argmax(axis=1)
        said = f"without {' and '.join(left_out)}" if left_out else "all columns"
        print(
            f"{said}: best epoch {history.best['epoch']} of {len(history)}, "
            f"accuracy {accuracy(y[test], guess):.3f}, "
            f"balanced {balanced_accuracy(y[test], guess):.3f}"
        )
        if not left_out:
            print("  " + "\n  ".join(encoder.notes()))
            predict_one(encoder, model, labels.classes)
    print("\nThe last one's mistakes (rows are the truth, columns the guess):")
    print(confusion_matrix(y[test], guess))
    print("Without the length of its bill, a Chinstrap looks like an Adelie.")


if __name__ == "__main__":
    main()
