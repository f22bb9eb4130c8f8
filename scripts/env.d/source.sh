# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # lib.sh sets the paths
# Kernel source: the pristine tree from Debian's package, and a copy with the
# overlay and the edits that only test kernels need.

source_archive() { echo "$root/usr/src/linux-source-$1.tar.xz"; }
pristine_of() { echo "$cache/src/linux-source-$1"; }
tree_of() { echo "$cache/tree/$1"; }

ensure_pristine() {
	local version=$1 dir archive
	dir=$(pristine_of "$version")
	archive=$(source_archive "$version")
	[ -e "$archive" ] || die "the build root has no source of Linux $version"
	[ ! -e "$dir/Makefile" ] || return 0
	mkdir -p "$dir.new"
	run_step "unpacking Linux $version" "$logs/source-$version.log" \
		count_lines 92000 \
		tar -C "$dir.new" --strip-components=1 -xvf "$archive"
	mv "$dir.new" "$dir"
}

# Bring the tree of version $1 up to date with the repository. Only what
# changed is written, so the build after it compiles only that.
ensure_tree() {
	local version=$1 tree
	tree=$(tree_of "$version")
	ensure_root
	if [ ! -e "$tree/Makefile" ]; then
		hold_lock "tree-$version"
	fi
	if [ ! -e "$tree/Makefile" ]; then
		ensure_pristine "$version"
		rm -rf "$tree.new"
		mkdir -p "$cache/tree"
		run_step "copying the tree of Linux $version" \
			"$logs/tree-$version.log" count_lines 92000 \
			cp -av --reflink=auto "$(pristine_of "$version")" "$tree.new"
		mv "$tree.new" "$tree"
	fi
	run_in_root -- /mnt/src/scripts/overlay apply --with-test-edits \
		--tree "/mnt/cache/tree/$version" >"$logs/overlay.log" 2>&1 || {
		cat "$logs/overlay.log" >&2
		die "the overlay does not go onto Linux $version"
	}
}
