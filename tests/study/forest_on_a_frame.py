"""A forest fitted on a frame, with labels that are no positions, shared by the tests of the front door."""

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from workbench.methods import TreeSHAP

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(120, 3)), columns=["age", "dose", "rate"])
LABELS = np.array([1, 2, 3])[np.digitize(FRAME["age"], [-0.5, 0.5])]
FOREST = RandomForestClassifier(5, random_state=0, max_depth=3).fit(FRAME, LABELS)
ON_ARRAY = RandomForestClassifier(5, random_state=0, max_depth=3).fit(FRAME.to_numpy(), LABELS)
PATHS = TreeSHAP(feature_perturbation="tree_path_dependent")
FEW = FRAME[:4]
ARRAY = FEW.to_numpy()
