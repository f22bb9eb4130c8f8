# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # lib.sh sets the paths
# Running commands in the build root: a mount and a PID namespace of its own,
# then chroot. Whatever the command started dies with it, and no mount is left.

# How this user becomes root of a namespace: root, userns or sudo.
enter_method() {
	if [ "$(id -u)" = 0 ]; then
		echo root
	elif [ -e "$cache/.method" ]; then
		cat "$cache/.method"
	elif unshare --user --map-auto --map-root-user --mount \
		mount -t tmpfs tmpfs /mnt 2>/dev/null; then
		echo userns
	else
		echo sudo
	fi
}

# as_root CMD...: run CMD as root in namespaces of its own. It does not get our
# locks, so that whatever survives us holds up nobody.
as_root() (
	for fd in "${held_locks[@]}"; do
		exec {fd}>&-
	done
	ns=(--mount --pid --fork --kill-child --propagation private)
	case $(enter_method) in
	root) exec unshare "${ns[@]}" "$@" ;;
	userns) exec unshare --user --map-auto --map-root-user "${ns[@]}" "$@" ;;
	sudo) exec sudo unshare "${ns[@]}" "$@" ;;
	esac
)

# Runs as root of the new namespaces, and stays as their first process: a
# program in that place could not even die of a signal. enter_inner ROOT REPO CACHE CWD
# [HOST_DIR MOUNT_POINT]... -- CMD...
# shellcheck disable=SC2016  # expanded by the inner shell
enter_inner='
set -e
root=$1 repo=$2 cache=$3 cwd=$4
shift 4
mount --bind "$root" "$root"
mount -t tmpfs -o mode=755 tmpfs "$root/mnt"
mkdir "$root/mnt/src" "$root/mnt/cache"
mount --bind "$repo" "$root/mnt/src"
mount --bind "$cache" "$root/mnt/cache"
while [ "$1" != -- ]; do
	mkdir -p "$root$2"
	mount --bind "$1" "$root$2"
	shift 2
done
shift
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
[ ! -e /etc/resolv.conf ] || mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
# Whom the host trusts, since cargo goes out the way the host does.
trust=/etc/ssl/certs/ca-certificates.crt
[ ! -e "$trust" ] || [ ! -e "$root$trust" ] || mount --bind "$trust" "$root$trust"
mount -o remount,bind,ro "$root"
set +e
chroot "$root" /usr/bin/env -i HOME=/tmp USER=root LANG=C.UTF-8 \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	TERM="${TERM:-dumb}" NEWTCP_HOST_REPO="$repo" NEWTCP_HOST_CACHE="$cache" \
	/bin/sh -c '\''cd "$0" && exec "$@"'\'' "$cwd" "$@"
exit $?
'

# The path of host directory $1 as seen inside the root, if it is there.
path_inside() {
	case $1/ in
	"$repo"/*) echo "/mnt/src${1#"$repo"}" ;;
	"$cache"/*) echo "/mnt/cache${1#"$cache"}" ;;
	*) return 1 ;;
	esac
}

# run_in_root [--bind DIR[:MOUNT_POINT]]... -- CMD...
run_in_root() {
	local binds=() dir at cwd
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		if [ "$1" != --bind ] || [ $# -lt 2 ]; then
			die "env run: what is $1?"
		fi
		dir=${2%%:*}
		case $2 in
		*:*) at=${2#*:} ;;
		*) at=/mnt/$(basename "$dir") ;;
		esac
		case $at in
		/mnt/?*) ;;
		*) die "env run: $at is not below /mnt" ;;
		esac
		dir=$(cd "$dir" && pwd -P) || die "env run: no directory $dir"
		binds+=("$dir" "$at")
		shift 2
	done
	[ $# -gt 1 ] || die "env run: no command; write it after --"
	shift
	cwd=$(path_inside "$(pwd -P)") || cwd=/mnt/src
	as_root /bin/sh -c "$enter_inner" enter "$root" "$repo" "$cache" "$cwd" \
		"${binds[@]}" -- "$@"
}
