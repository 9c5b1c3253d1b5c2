"""Learns windows of a long series and makes new ones: python examples/series.py --steps 2000"""

import argparse

import numpy as np

import sparring


def main() -> None:
    """Trains on the series and makes windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--out", default="runs/series")
    asked = parser.parse_args()
    # Two thousand hours of a temperature with days in it, and of what is used for heating.
    source, hours = np.random.default_rng(0), np.arange(2000)
    weather = np.convolve(source.normal(size=2000), np.exp(-np.arange(100) / 30), "same")
    temperature = 10 + 5 * np.sin(2 * np.pi * hours / 24) + weather
    heating = np.maximum(0, 18 - temperature) + source.normal(size=2000) * 0.3
    series = np.stack([temperature, heating], 1)

    model = sparring.train(series, out=asked.out, window=48, steps=asked.steps, overwrite=True)
    made = model.sample(100, seed=0)  # (100, 48, 2)
    print(f"made {made.shape}, mean temperature {made[..., 0].mean():.1f} (real {temperature.mean():.1f})")
    model.save(made, f"{asked.out}/windows.csv")
    print("\n".join(model.evaluate(metrics=["autocorrelation", "channel-wasserstein"]).lines()))


if __name__ == "__main__":
    main()
