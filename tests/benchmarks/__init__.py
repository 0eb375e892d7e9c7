"""How close every method is to what its model costs by itself, and how it compares with its peers.

`python -m tests.benchmarks` times the cells; `tests/test_costs.py` counts, which needs no quiet machine.
A cell times the limit (the model's own batched passes), ours and the peers in one process on one thread.
"""

import os

# Before NumPy, torch and the boosters are imported: more threads would measure the neighbours.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("TQDM_DISABLE", "1")  # lime's progress bars
