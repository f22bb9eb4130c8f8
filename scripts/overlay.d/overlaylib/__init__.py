# SPDX-License-Identifier: GPL-2.0
"""The parts of scripts/overlay.

errors   the one exception a user sees
tree     is this a kernel tree, and which version
edits    anchored edits: loading, finding, applying, undoing
sources  which files of the repository belong into a kernel tree
state    the manifest the tool leaves in the tree
plan     what apply and revert would write, computed before anything is written
write    carries a plan out, all files or none
check    one line for every touch point
series   the order and the messages of the patches
patch    the mailable series
cli      the command line
"""
