# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # lib.sh sets the paths
# Configuring and building one kernel.

kernel_arch() { [ "$1" = x86 ] && echo x86 || echo um; }

kernel_fragments() {
	case $1 in
	um) echo common um ;;
	x86) echo common x86 ;;
	debug) echo common um debug ;;
	esac
}

# The directory that kernel KIND of VERSION is built in.
build_of() {
	local kind=$1 version=$2
	if [ -n "${KERNEL:-}" ]; then
		echo "$cache/build/$kind-own-$(cd "$KERNEL" && pwd -P | sha256sum | cut -c1-8)"
	elif [ "$version" = "$default_version" ]; then
		echo "$cache/build/$kind"
	else
		echo "$cache/build/$kind-$version"
	fi
}

# The file that boots.
image_of() {
	case $1 in
	x86) echo "$(build_of "$@")/arch/x86/boot/bzImage" ;;
	*) echo "$(build_of "$@")/linux" ;;
	esac
}

# LLVM= for kernel KIND, empty for GCC, which most distributions use and which takes
# two thirds of clang's time. Rust with KASAN takes clang (debug), and so do helpers
# inlined into Rust (x86); on a tree of your own clang builds all.
llvm_for() {
	if [ "$1" = um ] && [ -z "${KERNEL:-}" ]; then
		return
	fi
	echo 1
}

# kbuild KIND VERSION ARG...: the kernel's own make, with our choices.
kbuild() {
	local kind=$1 version=$2 jobs
	shift 2
	jobs=$(nproc)
	local args=(ARCH="$(kernel_arch "$kind")" LLVM="$(llvm_for "$kind")"
		KBUILD_BUILD_USER=newtcp KBUILD_BUILD_HOST=newtcp -j"$jobs" "$@")
	if [ -n "${KERNEL:-}" ]; then
		make -C "$KERNEL" O="$(build_of "$kind" "$version")" "${args[@]}"
	else
		run_in_root -- make -C "/mnt/cache/tree/$version" \
			O="/mnt/cache/build/$(basename "$(build_of "$kind" "$version")")" "${args[@]}"
	fi
}

# What the configuration of kernel KIND depends on, as a hash.
config_stamp() {
	local kind=$1 tree=$2 frag=$3
	{
		llvm_for "$kind"
		cat "$frag" "$tree/Makefile" "$tree/net/Kconfig" "$tree/net/mynewtcp/Kconfig"
	} | sha256sum | cut -c1-32
}

# Every symbol of the fragments with the last value asked for, one per line.
wanted_symbols() {
	awk -F= '/^CONFIG_/ { want[$1] = substr($0, length($1) + 2) }
		END { for (s in want) print s "=" want[s] }' "$1" | sort
}

# Compare what was asked for with what Kconfig made of it.
verify_config() {
	local config=$1 fragments=$2 line symbol got bad=0
	while IFS= read -r line; do
		symbol=${line%%=*}
		got=$(grep "^$symbol=" "$config" || echo "$symbol=n")
		[ "$got" = "$line" ] || [ "$line $got" = "$symbol=\"\" $symbol=n" ] || {
			say "asked for $line, but the tree gives ${got#*=}: a dependency is missing"
			bad=1
		}
	done < <(wanted_symbols "$fragments")
	return $bad
}

# The part of the fragments that is for this version of Linux: "# since 7.3" and
# "# before 7.3" begin lines for some versions, "# any version" ends them.
fragments_for() {
	local version=$1 fragment
	shift
	for fragment; do
		awk -v version="${version#*.}" '
			/^# since 7\./ { skip = version < substr($3, 3) + 0 }
			/^# before 7\./ { skip = version >= substr($3, 3) + 0 }
			/^# any version/ { skip = 0 }
			!skip' "$repo/scripts/configs/$fragment.config"
	done
}

configure_kernel() {
	local kind=$1 version=$2 tree=$3 out stamp fragments
	out=$(build_of "$kind" "$version")
	mkdir -p "$out"
	# shellcheck disable=SC2046  # a list of words
	fragments_for "$version" $(kernel_fragments "$kind") >"$out/fragments.config"
	stamp=$(config_stamp "$kind" "$tree" "$out/fragments.config")
	[ "$(cat "$out/config.stamp" 2>/dev/null)" != "$stamp" ] || [ ! -e "$out/.config" ] || return 0
	run_step "configuring kernel $kind" "$logs/$kind-config.log" count_lines 0 \
		kbuild "$kind" "$version" KCONFIG_ALLCONFIG="$(config_inside "$out")" allnoconfig
	verify_config "$out/.config" "$out/fragments.config" ||
		die "the configuration of kernel $kind is not what scripts/configs asks for"
	echo "$stamp" >"$out/config.stamp"
}

config_inside() {
	if [ -n "${KERNEL:-}" ]; then
		echo "$1/fragments.config"
	else
		path_inside "$1/fragments.config"
	fi
}

count_objects() { grep -cE '^  (CC|AS|RUSTC|AR|LD|BINDGEN|HOSTCC)' "$1"; }

# How many steps a build from nothing takes: what the last one took, else a
# figure that is right for the configurations as they are.
expected_steps() {
	local out=$1 kind=$2
	if [ -e "$out/vmlinux" ]; then
		echo 0
	elif [ -e "$out/steps" ]; then
		cat "$out/steps"
	else
		case $kind in
		um) echo 1650 ;;
		x86) echo 2100 ;;
		debug) echo 1800 ;;
		esac
	fi
}

# The user's own tree, once it is known to be fit and has the overlay. $1 is
# where it is going to be built.
own_tree() {
	[ -e "$KERNEL/Kbuild" ] || die "KERNEL=$KERNEL is no kernel tree"
	mkdir -p "$1"
	make -s -C "$KERNEL" O="$1" LLVM=1 rustavailable >&2 ||
		die "\`make LLVM=1 rustavailable\` fails in $KERNEL"
	"$repo/scripts/overlay" apply --tree "$KERNEL" >&2
	(cd "$KERNEL" && pwd -P)
}

# build_kernel KIND VERSION [CONFIG_ONLY [DIRECTORY]]
build_kernel() {
	local kind=$1 version=$2 config_only=${3:-} only=${4:-} tree out total
	hold_lock "build-$kind"
	if [ -n "${KERNEL:-}" ]; then
		tree=$(own_tree "$(build_of "$kind" "$version")")
		version=$(tree_version "$tree")
	else
		ensure_tree "$version"
		tree=$(tree_of "$version")
	fi
	out=$(build_of "$kind" "$version")
	configure_kernel "$kind" "$version" "$tree"
	[ -z "$config_only" ] || return 0
	if [ -n "$only" ]; then
		run_step "compiling $only on Linux $version" "$logs/only-$version.log" \
			count_objects 0 kbuild "$kind" "$version" "$only"
		return
	fi
	total=$(expected_steps "$out" "$kind")
	run_step "building kernel $kind ($version)" "$logs/kernel-$(basename "$out").log" \
		count_objects "$total" kbuild "$kind" "$version"
	[ "$total" = 0 ] || count_objects "$logs/kernel-$(basename "$out").log" >"$out/steps"
	image_of "$kind" "$version"
}
