"""One BLAS thread while golden computes: its products are small, and threads that wait for each other on a busy
computer make a frame ten times slower.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

# Whoever sets one of these has chosen the number of threads, which is then left alone.
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def one_blas_thread() -> AbstractContextManager[object]:
    """A block in which NumPy's products use the calling thread alone; afterwards the number is as it was.

    The number is the process' own: of several Python threads in such blocks, the first one sets it and puts it back.
    """
    if any(os.environ.get(name) for name in VARIABLES):
        return nullcontext()
    limit: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return limit


@cache
def _libraries() -> ThreadpoolController:
    """Those that are loaded at the first frame; NumPy's is."""
    return ThreadpoolController()
