"""The fitted features of a pipeline, in numbers: what training/serving/encoder.py compiles.

Read from what scikit-learn documents of its fitted transformers, nothing of it private.
"""

from collections.abc import Mapping
from itertools import islice

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from contracts.columns import ColumnKind
from training.frame import CALENDAR, number_names, text_names
from training.serving.encoder import Categories, Encoding, Matrix, Number


def encoding_of(transformer: ColumnTransformer, features: Mapping[str, ColumnKind]) -> Encoding:
    """The features before any scaling, which is arithmetic and so the graph's (graph.py)."""
    slices = transformer.output_indices_
    return Encoding(
        width=max(part.stop for part in slices.values()),
        numbers=_numbers(transformer, slices["numbers"].start, features) if "numbers" in slices else {},
        categories=_categories(transformer, slices["categories"].start, features) if "categories" in slices else {},
    )


def _numbers(transformer: ColumnTransformer, start: int, features: Mapping[str, ColumnKind]) -> dict[str, tuple[Number, ...]]:
    fitted = transformer.named_transformers_["numbers"]
    imputer = fitted["impute"] if isinstance(fitted, Pipeline) else fitted
    count = len(number_names(features))
    flags = {int(place): start + count + number for number, place in enumerate(imputer.indicator_.features_)}
    columns = iter(Number(column=start + place, fill=float(fill), flag=flags.get(place)) for place, fill in enumerate(imputer.statistics_))
    kinds = {name: kind for name, kind in features.items() if kind is not ColumnKind.CATEGORICAL}
    return {name: tuple(islice(columns, len(CALENDAR) if kind is ColumnKind.DATETIME else 1)) for name, kind in kinds.items()}


def _categories(transformer: ColumnTransformer, start: int, features: Mapping[str, ColumnKind]) -> dict[str, Categories]:
    """As the encoder lays them out: a column for each category that is not rare, then one for the rare ones, if there are any."""
    encoder = transformer.named_transformers_["categories"]
    found = {}
    for name, known, rare in zip(text_names(features), encoder.categories_, encoder.infrequent_categories_, strict=True):
        kept = [text for text in known if rare is None or text not in rare]
        columns = {text: start + number for number, text in enumerate(kept)}
        start += len(kept)
        other = None
        if rare is not None:
            other, start = start, start + 1
            columns |= dict.fromkeys(rare, other)
        found[name] = Categories(columns=columns, other=other)
    return found


def scaling_of(transformer: ColumnTransformer, width: int) -> tuple[Matrix, Matrix] | None:
    """(mean, scale) of every column, as StandardScaler takes them; None when nothing is scaled."""
    fitted = transformer.named_transformers_.get("numbers")
    if not isinstance(fitted, Pipeline):
        return None
    mean, scale = np.zeros(width), np.ones(width)
    columns, scaler = transformer.output_indices_["numbers"], fitted["scale"]
    mean[columns], scale[columns] = scaler.mean_, scaler.scale_
    return mean, scale
