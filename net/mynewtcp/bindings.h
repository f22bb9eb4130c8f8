/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads: the network stack's headers, constants that bindgen
 * cannot evaluate, and the helpers, whose definitions serve as prototypes.
 */
#include "helpers.c"
