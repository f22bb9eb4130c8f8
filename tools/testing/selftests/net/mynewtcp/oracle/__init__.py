# SPDX-License-Identifier: GPL-2.0
"""The differential oracle: the same calls on TCP and on NEW_TCP, and what differs.

scripts.py makes the scripts, machine.py runs one, compare.py finds the differences, and
explained.py says which of them are meant.
"""
