"""Efficacy and detection: what classifiers learn from generated rows, and whether they tell them from real ones."""

import warnings
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from sparring.metrics import Evidence, Metric, Reading
from sparring.metrics.discriminator import area
from sparring.metrics.intervals import around
from sparring.metrics.rows import LEAST, Rows, equal_rows, refusal
from sparring.modalities.frames import numbers

Matrix = Float[np.ndarray, "n d"]


_GROUPS = 20


class Efficacy(Metric):
    """Train on what is judged, test on the reference: accuracy, F1 of the rarer class, AUC; means of four classifiers.

    As many rows are learned from as the model learned from. ``efficacy-real-…`` is train-on-real by as many training
    rows, and so is the floor, whatever else stands in the model's place.
    """

    target: str = Field(
        default="",
        description="column to be predicted; empty: the last of two to ten values, else whether the last is high",
    )
    seed: int = Field(default=0, ge=0, description="of the classifiers")

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 40
    plenty: ClassVar[bool] = True
    learns: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "logistic regression, decision tree of depth 15, random forest of 100 trees and histogram gradient boosting of "
        "scikit-learn at their defaults, learned on as many judged rows as there are training rows, at most 10,000, "
        "or on as many of those, which is the floor; tested on the reference; F1 of the rarest class, AUC of that "
        "class against the others; the mean of the four; interval: normal, jackknife of twenty groups of reference "
        "rows, the classifiers held fixed"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """There must be another column than the one that is predicted, and that one must be there."""
        reason = refusal(train, test, fake)
        if reason is None and fake.items.shape[1] < 2:
            reason = "there is one column only"
        if reason is None and self.target and self.target not in Rows.of(train, test, fake).train.columns:
            reason = f"there is no column '{self.target}' to predict"
        return reason

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        rows = Rows.of(train, test, fake)
        target = self._target(rows)
        learned, reference, made = rows.matrix(without=target)
        words = _classes(rows, target)
        rare = _rarest(words[0], words[1])
        count = min(len(learned), len(made))

        def taught_by(side: Matrix, said: np.ndarray) -> dict[str, Reading]:
            thin = _thin(np.arange(len(side)), count)
            return self._mean(side[thin], said[thin], reference, words[1], rare)

        # Everything that is judged beside each other shares it. The reference is kept, so that no other gets its place.
        key = ("train-on-real", str(self), count, id(test))
        _, real = train.once(key, lambda: (test, taught_by(learned, words[0])))
        found = real if fake is train else taught_by(made, words[2])
        readings = {f"efficacy-{name}": reading for name, reading in found.items()}
        return readings | {f"efficacy-real-{name}": replace(reading, better="") for name, reading in real.items()}

    def _target(self, rows: Rows) -> str:
        """The column to be predicted: as asked, else the last of two to ten values, else the last."""
        few = [name for name in rows.words if 2 <= rows.train[name].nunique() <= 10]
        return self.target or (few or list(rows.train.columns))[-1]

    def _mean(self, x: Any, y: np.ndarray, reference: Any, truth: np.ndarray, rare: str) -> dict[str, Reading]:
        found = [verdicts(model, x, y, reference, rare) for model in classifiers(self.seed)]
        whole = _means(found, truth, rare)
        groups = np.arange(len(truth)) % _GROUPS
        left = [_means([v.part(groups != g) for v in found], truth[groups != g], rare) for g in range(_GROUPS)]
        readings = {}
        for name, value in whole.items():
            spread = np.var([means[name] for means in left]) * (_GROUPS - 1)
            readings[name] = around(value, float(np.sqrt(spread)), within=(0.0, 1.0), better="higher")
        return readings


def classifiers(seed: int) -> list[Any]:
    """The four classifiers, unfitted."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    return [
        LogisticRegression(max_iter=500),
        DecisionTreeClassifier(max_depth=15, random_state=seed),
        RandomForestClassifier(n_estimators=100, random_state=seed),
        HistGradientBoostingClassifier(random_state=seed),
    ]


class Verdicts(NamedTuple):
    """What a classifier says of reference rows: the class of each, and how likely it is the rare one."""

    said: np.ndarray
    score: Float[np.ndarray, " n"]

    def part(self, kept: Bool[np.ndarray, " n"]) -> "Verdicts":
        """Those of some rows."""
        return Verdicts(self.said[kept], self.score[kept])

    def rates(self, truth: np.ndarray, rare: str) -> dict[str, float]:
        """Accuracy, F1 and AUC of the rare class."""
        positive = truth == rare
        one_class = positive.all() or not positive.any()
        return {
            "accuracy": float((self.said == truth).mean()),
            "f1": f1(self.said == rare, positive),
            "auc": 0.5 if one_class else area(self.score[positive], self.score[~positive]).value,
        }


def verdicts(model: Any, x: np.ndarray, y: np.ndarray, reference: np.ndarray, rare: str) -> Verdicts:
    """What a classifier that learns ``x, y`` says of the reference.

    A single class to learn from gives the verdict of always saying it: F1 0 or that of the class, AUC one half.
    """
    if len(np.unique(y)) < 2:
        return Verdicts(np.full(len(reference), y[0]), np.zeros(len(reference)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a model has not converged
        model.fit(x, y)
    classes = list(model.classes_)
    score = model.predict_proba(reference)[:, classes.index(rare)] if rare in classes else np.zeros(len(reference))
    return Verdicts(model.predict(reference), score)


def _means(found: list[Verdicts], truth: np.ndarray, rare: str) -> dict[str, float]:
    """The means of all classifiers."""
    rates = [each.rates(truth, rare) for each in found]
    return {name: float(np.mean([rate[name] for rate in rates])) for name in rates[0]}


def f1(said: Bool[np.ndarray, " n"], true: Bool[np.ndarray, " n"]) -> float:
    """Harmonic mean of precision and recall; 0 where nothing is right."""
    right = int((said & true).sum())
    return 2 * right / max(1, int(said.sum()) + int(true.sum()))


def _classes(rows: Rows, target: str) -> list[np.ndarray]:
    """The target of train, test and fake as words; of numbers, whether they are above the training rows' median."""
    sides = [rows.train[target], rows.test[target], rows.fake[target]]
    if target in rows.words:
        return [side.map(str).to_numpy(object).astype(str) for side in sides]
    middle = np.nanmedian(numbers(sides[0]))
    return [np.where(numbers(side) > middle, "high", "low") for side in sides]


def _rarest(learned: np.ndarray, truth: np.ndarray) -> str:
    """The class with the fewest training rows, among those that the reference has too where there are some."""
    values, counts = np.unique(learned, return_counts=True)
    there = np.isin(values, truth)
    there = there if there.any() else np.ones(len(values), bool)
    return str(values[there][counts[there].argmin()])


class Detection(Metric):
    """AUC of a classifier that tells generated from real rows; .5: it cannot."""

    seed: int = Field(default=0, ge=0, description="of the halves and of the classifier")

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 50
    protocol: ClassVar[str] = (
        "histogram gradient boosting learns one half of the reference against one half of the judged rows and is asked "
        "about the others; as many of both; interval by DeLong; neither the model nor its training rows take part"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Halves of enough rows are needed."""
        few = min(len(test.items), len(fake.items)) < 2 * LEAST
        return refusal(train, test, fake) or (f"fewer than {2 * LEAST} rows on a side" if few else None)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        from sklearn.ensemble import HistGradientBoostingClassifier

        _, real, made = Rows.of(train, test, fake).matrix()
        count = min(len(real), len(made))
        source = np.random.default_rng(self.seed)
        real, made = (side[source.permutation(len(side))[:count]] for side in (real, made))
        half = count // 2
        x = np.concatenate([real[:half], made[:half]])
        labels: Int[np.ndarray, " n"] = np.repeat([1, 0], half)
        if not x.shape[1]:
            return {"detection-auc": Reading(0.5, better="lower")}
        judge = HistGradientBoostingClassifier(random_state=self.seed).fit(x, labels)
        found = area(judge.predict_proba(real[half:])[:, 1], judge.predict_proba(made[half:])[:, 1])
        return {"detection-auc": Reading(found.value, found.low, found.high, "lower")}


class NearestRow(Metric):
    """Share of generated rows that are nearer to a training row than to a held-back one; .5 where nothing is copied.

    Below .5 is chance; far above it, rows are copied. That it is near .5 proves no privacy (arXiv 2505.01524).
    """

    most: int = Field(default=2000, ge=1, description="rows of a side that are compared")

    featured: ClassVar[bool] = False
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    rank: ClassVar[int | None] = 60
    audited: ClassVar[tuple[str, ...]] = ("nearer-to-training", "copied-rows")
    depends_on_count: ClassVar[bool] = False
    protocol: ClassVar[str] = (
        "distance in scaled numbers and words as ones, as many training as reference rows, ties as half; "
        "copied-rows: share of judged rows that equal a training row in every column, identifiers too, of "
        "all that were learned from; intervals: score interval of a share (Wilson), the real rows held fixed"
    )

    def refusal(self, train: Evidence, test: Evidence, fake: Evidence) -> str | None:
        """Tables of as many columns are compared."""
        return refusal(train, test, fake)

    def __call__(self, train: Evidence, test: Evidence, fake: Evidence) -> dict[str, Reading]:
        from sparring.metrics.intervals import share

        learned, held, made = Rows.of(train, test, fake).matrix()
        count = min(len(learned), len(held), self.most)
        near, far = (nearest(made[: self.most], _thin(side, count)) for side in (learned, held))
        closer = float((near < far - 1e-9).sum() + (np.abs(near - far) <= 1e-9).sum() / 2)
        found = share(round(closer), len(near), "lower")
        copied = equal_rows(fake.items, train.items if train.whole is None else train.whole)
        return {"nearer-to-training": found, "copied-rows": share(int(copied.sum()), len(copied), "lower")}


def _thin(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def nearest(rows: Float[np.ndarray, "m d"], others: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " m"]:
    """Euclidean distance of each row to the nearest of the others."""
    from sklearn.neighbors import NearestNeighbors

    if not rows.shape[1]:
        return np.zeros(len(rows))
    return NearestNeighbors(n_neighbors=1).fit(others).kneighbors(rows)[0][:, 0]
