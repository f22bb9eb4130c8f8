# SPDX-License-Identifier: GPL-2.0
"""The cases, one file per topic. run imports every file here."""
