#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Boot the test kernel once per step of the family's start-up, with that step
# made to fail (mynewtcp.fail_step=N), until a boot in which nothing failed
# says that there are no more steps. After each failure the family must have
# left no trace and the log must name the step.
# usage: init-unwind.sh [um|x86|debug]
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$(cd "$home/../../../../../.." && pwd -P)
kernel=${1:-um}
max_steps=64
passed=0 failed=0

# Boot with step $1 failing; the guest's findings go to standard output.
boot() {
	"$top/scripts/vm" --kernel "$kernel" --timeout 300 \
		--append "mynewtcp.fail_step=$1" -- \
		python3 -B "/mnt/src/${home#"$top"/}/init-traces.py" "$1"
}

echo "KTAP version 1"
for ((step = 1; step <= max_steps; step++)); do
	status=0
	found=$(boot "$step" 2>&1) || status=$?
	case $status in
	0)
		passed=$((passed + 1))
		echo "ok $step init_fails_cleanly_at_step_$step"
		;;
	100)
		echo "# the start-up has $((step - 1)) steps"
		break
		;;
	*)
		failed=$((failed + 1))
		echo "# ${found//$'\n'/$'\n'# }"
		echo "not ok $step init_fails_cleanly_at_step_$step # status $status"
		;;
	esac
done
if ((step > max_steps)); then
	failed=$((failed + 1))
	echo "# no boot without a failure in $max_steps steps"
elif ((passed + failed == 0)); then
	failed=$((failed + 1))
	echo "# no step failed: is the kernel built with CONFIG_MY_NEWTCP_DEBUG?"
fi
echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
((failed == 0))
