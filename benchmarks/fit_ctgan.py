"""What benchmarks.synthesiser runs in ctgan's own environment: learn a CSV, write as many rows.

python fit_ctgan.py TRAIN.csv MADE.csv EPOCHS SEED DISCRETE...
"""

import sys

import pandas as pd
from ctgan import CTGAN  # pyright: ignore[reportMissingImports]

given, made, epochs, seed, *discrete = sys.argv[1:]
frame = pd.read_csv(given, keep_default_na=False, na_values=[""])
model = CTGAN(epochs=int(epochs))
model.set_random_state(int(seed))
model.fit(frame, discrete)
model.sample(len(frame)).to_csv(made, index=False)
