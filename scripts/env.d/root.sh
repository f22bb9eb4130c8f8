# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # lib.sh sets the paths
# Making the build root, and making it anew when its list changes.

packages=$repo/scripts/env.d/packages

package_list() { sed 's/#.*//;/^release/d' "$packages" | xargs -n1; }

root_stamp() { sed 's/#.*//;/^[[:space:]]*$/d' "$packages" | sha256sum | cut -c1-32; }

root_is_current() {
	[ "$(cat "$root.stamp" 2>/dev/null)" = "$(root_stamp)" ] && [ -x "$root/usr/bin/clang" ]
}

# Packages fetched and unpacked so far, each counted; for an archive mmdebstrap
# works in a temporary directory of its own.
count_packages() {
	local top
	for top in "$root.new" "${TMPDIR:-/tmp}"/mmdebstrap.*; do
		ls "$top/var/cache/apt/archives" "$top/var/lib/dpkg/info" 2>/dev/null
	done | grep -c '\.\(deb\|list\)$'
}

# What mmdebstrap does when apt in the new root is configured and nothing is
# installed yet: add the further pockets, from the same mirror.
# shellcheck disable=SC2016  # expanded by mmdebstrap's shell
root_pockets() {
	printf 'for suite in %s; do
		sed -n "s/^\\(deb .*\\) %s main.*/\\1 $suite main/p" "$1/etc/apt/sources.list"
	done >"$1/etc/apt/sources.list.d/pockets.list"' "$2" "$1"
}

make_root() {
	local release pockets new=$root.new format=directory target list
	read -r release pockets < <(sed -n 's/^release //p' "$packages")
	list=$(package_list | paste -sd,)
	as_root rm -rf "$new" "$new.tar"
	target=$new
	if [ "$(enter_method)" = userns ]; then
		# mmdebstrap maps user ids in its own way; through an archive
		# they come out in ours.
		format=tar target=$new.tar
	fi
	local make=(mmdebstrap --variant=minbase --format="$format"
		--include="$list" --aptopt='APT::Install-Recommends "false"'
		--aptopt='Acquire::Retries "3"'
		--dpkgopt='path-exclude=/usr/share/locale/*'
		--dpkgopt='path-exclude=/usr/share/man/*'
		--setup-hook="$(root_pockets "$release" "$pockets")"
		"$release" "$target")
	# shellcheck disable=SC2207  # no mirror, no word
	make+=($(debian_mirror))
	[ "$(enter_method)" != sudo ] || make=(sudo "${make[@]}")
	run_step "making the build root (Debian $release)" "$logs/root.log" \
		count_packages 760 "${make[@]}"
	if [ "$format" = tar ]; then
		mkdir "$new"
		run_step "unpacking the build root" "$logs/root-unpack.log" count_lines 0 \
			as_root tar -C "$new" -xf "$new.tar" --exclude='./dev/*'
		rm "$new.tar"
	fi
	as_root rm -rf "$root.old"
	[ ! -e "$root" ] || mv "$root" "$root.old"
	mv "$new" "$root"
	root_stamp >"$root.stamp"
	as_root rm -rf "$root.old"
}

ensure_root() {
	root_is_current && return
	hold_lock root
	root_is_current && return
	host_prepare
	make_root
}
