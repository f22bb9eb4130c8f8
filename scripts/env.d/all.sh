# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Everything that scripts/env, scripts/kernel and scripts/vm share.
parts=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/env.d/lib.sh
. "$parts/lib.sh"
# shellcheck source=scripts/env.d/host.sh
. "$parts/host.sh"
# shellcheck source=scripts/env.d/enter.sh
. "$parts/enter.sh"
# shellcheck source=scripts/env.d/root.sh
. "$parts/root.sh"
# shellcheck source=scripts/env.d/source.sh
. "$parts/source.sh"
# shellcheck source=scripts/env.d/kernel.sh
. "$parts/kernel.sh"
unset parts
