# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034  # others use the paths
# Paths, messages and progress shared by scripts/env, scripts/kernel and
# scripts/vm. Sourced, never run.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cache=${NEWTCP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mynewtcp}
root=$cache/root
logs=$cache/log
default_version=7.3

say() { printf 'newtcp: %s\n' "$*" >&2; }

die() {
	say "$*"
	exit 1
}

# The version of the kernel tree in directory $1, as "7.3".
tree_version() {
	sed -n 's/^VERSION = //p;s/^PATCHLEVEL = //p' "$1/Makefile" 2>/dev/null |
		paste -sd.
}

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# watch_step WHAT PID LOG COUNT_COMMAND TOTAL: say how far a long step is,
# until process PID ends. On a terminal one line is rewritten; elsewhere a
# line appears every half minute.
watch_step() {
	local what=$1 pid=$2 log=$3 count=$4 total=$5
	local start=$SECONDS every=30 next=0 done_now line
	[ -t 2 ] && every=1
	while kill -0 "$pid" 2>/dev/null; do
		if ((SECONDS - start >= next)); then
			done_now=$($count "$log" 2>/dev/null) || true
			line="$what: $(progress_text "${done_now:-0}" "$total"), $(clock $((SECONDS - start)))"
			if [ -t 2 ]; then
				printf '\r\033[Knewtcp: %s' "$line" >&2
			elif ((next > 0)); then
				say "$line"
			fi
			next=$((SECONDS - start + every))
		fi
		sleep 0.2
	done
	[ -t 2 ] && printf '\r\033[K' >&2
	return 0
}

progress_text() {
	if (($2 > 0)); then
		local percent=$(($1 * 100 / $2))
		echo "$((percent > 99 ? 99 : percent)) % ($1 of about $2)"
	else
		echo "$1 done"
	fi
}

# start_job CMD...: start CMD in a process group of its own, as $job. When we are
# told to stop, all of it dies: the command in the build root ignores softer words.
start_job() {
	set -m
	"$@" &
	job=$!
	set +m
	# shellcheck disable=SC2064  # the job of now is meant
	trap "kill -KILL -- -$job 2>/dev/null; exit 130" INT TERM HUP
}

# end_job: wait for $job; its status is ours.
end_job() {
	local status=0
	wait "$job" || status=$?
	trap - INT TERM HUP
	return $status
}

# supervise CMD...: run CMD so that it ends when we are told to.
supervise() {
	start_job "$@" </dev/null
	end_job
}

# run_step WHAT LOG COUNT_COMMAND TOTAL CMD...: run CMD with its output in
# LOG and its progress on stderr; on failure show the end of the log.
run_step() {
	local what=$1 log=$2 count=$3 total=$4 start=$SECONDS status=0
	shift 4
	mkdir -p "$(dirname "$log")"
	start_job "$@" >"$log" 2>&1 </dev/null
	watch_step "$what" "$job" "$log" "$count" "$total"
	end_job || status=$?
	if ((status)); then
		say "$what: failed after $(clock $((SECONDS - start))); from $log:"
		show_failure "$log" >&2
		return "$status"
	fi
	((SECONDS - start < 3)) || say "$what: done in $(clock $((SECONDS - start)))"
}

# The errors in a log, or else its end.
show_failure() {
	local errors='(^|[^-[:alnum:]_])(error|Error|fatal|FAILED)(\[E|:| [0-9])|^E: |\*\*\*'
	if grep -qE "$errors" "$1"; then
		grep -nE -A4 "$errors" "$1" | head -n 40
	else
		tail -n 25 "$1"
	fi
}

count_lines() { wc -l <"$1"; }

# Take the lock called $1 for the rest of this shell, waiting if needed.
declare -A held_locks=()
hold_lock() {
	local fd
	[ -z "${held_locks[$1]:-}" ] || return 0
	mkdir -p "$cache/lock"
	exec {fd}>"$cache/lock/$1"
	if ! flock -n "$fd"; then
		say "waiting for another run that holds the lock $1"
		flock "$fd"
	fi
	held_locks[$1]=$fd
}
