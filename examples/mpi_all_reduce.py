"""A gradient by MPI's all-reduce: `mpiexec -n 2 python examples/mpi_all_reduce.py`.

Every rank has its part of the data and the same parameters; sums and counts are added up.
"""

import numpy as np
from mpi4py import MPI

import chainrule as cr

ranks = MPI.COMM_WORLD
rows = np.array_split(np.arange(1000), ranks.size)[ranks.rank]
x = np.cos(np.outer(rows, [1.0, 2.0, 3.0]))
y = x @ np.array([1.0, -2.0, 0.5])
w = np.zeros(3)
total_and_gradient = cr.value_and_grad(lambda w: np.sum((x @ w - y) ** 2))
for _ in range(20):
    total, gradient = total_and_gradient(w)
    sums = ranks.allreduce(np.array([total, len(x), *gradient]))  # added in the order of ranks
    w = w - 0.5 * sums[2:] / sums[1]
if ranks.rank == 0:
    print(f"{ranks.size} ranks, mean error {sums[0] / sums[1]:.3e}")
