# SPDX-License-Identifier: GPL-2.0
"""The error every command reports."""


class OverlayError(Exception):
    """Something the user has to decide; nothing was written."""
