// SPDX-License-Identifier: GPL-2.0

module mynewtcp/adopt

go 1.22
