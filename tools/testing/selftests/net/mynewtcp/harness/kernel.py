# SPDX-License-Identifier: GPL-2.0
"""What the running kernel was built with."""

import functools
import gzip
from pathlib import Path

CONFIG = Path("/proc/config.gz")
# Where every access to memory is checked, a transfer takes ten times as long.
CHECKED_SHARE = 8


@functools.cache
def _config():
    if not CONFIG.exists():
        return frozenset()
    return frozenset(gzip.decompress(CONFIG.read_bytes()).decode().splitlines())


def has(symbol):
    """The kernel says that it was built with this symbol."""
    return f"CONFIG_{symbol}=y" in _config()


def bulk(amount):
    """How much of something large this kernel gets: all, or a share if it is a checking one."""
    return amount // CHECKED_SHARE if has("KASAN") else amount


def fails_on_demand():
    """Allocations of this kernel can be made to fail, one by one."""
    return has("FAILSLAB") and has("FAIL_PAGE_ALLOC") and has("FAULT_INJECTION_DEBUG_FS")
