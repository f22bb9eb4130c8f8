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

# Half of a boot of the debug kernel is a wait, for kmemleak to trust what it sees.
at_once=2
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# Boot with step $1 failing; keep the guest's findings and the status.
boot() {
	local status=0
	"$top/scripts/vm" --kernel "$kernel" --timeout 300 \
		--append "mynewtcp.fail_step=$1" -- \
		python3 -B "/mnt/src/${home#"$top"/}/init-traces.py" "$1" \
		>"$results/$1.said" 2>&1 || status=$?
	echo "$status" >"$results/$1.status"
}

# Boot with step $1 failing, and the steps behind it at the same time.
boot_several() {
	local step
	for ((step = $1; step < $1 + at_once; step++)); do
		boot "$step" &
	done
	wait
}

echo "KTAP version 1"
for ((step = 1; step <= max_steps; step++)); do
	[ -f "$results/$step.status" ] || boot_several "$step"
	status=$(<"$results/$step.status")
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
		sed 's/^/# /' "$results/$step.said"
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
