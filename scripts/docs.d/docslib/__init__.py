# SPDX-License-Identifier: GPL-2.0
"""The test of the documents.

blocks   finds the marked command blocks in Markdown and reStructuredText
execute  runs them: on the host, on a scratch kernel tree, in a guest
rst      parses the reStructuredText files with docutils
facts    compares what the text names with what the repository holds
report   counts what passed and what failed
"""
