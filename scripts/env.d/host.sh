# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # lib.sh sets the paths
# What the host must have before the build root can be made, and the one
# question about root that this may need.

# The packages that the host lacks for what it is going to do.
host_missing() {
	local missing=()
	[ -x "$(command -v mmdebstrap)" ] || missing+=(mmdebstrap)
	[ -e "$(debian_keyring)" ] || missing+=(debian-archive-keyring)
	[ -x "$(command -v xz)" ] || missing+=(xz-utils)
	if [ "$(id -u)" != 0 ] && [ ! -x "$(command -v newuidmap)" ]; then
		missing+=(uidmap)
	fi
	printf '%s\n' "${missing[@]}"
}

debian_keyring() {
	local file
	for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
		[ ! -e "$file" ] || break
	done
	echo "$file"
}

# Install what is missing. Asks for root at most once, before any long step,
# and says what for.
host_prepare() {
	local missing sudo=()
	mapfile -t missing < <(host_missing | grep .)
	if [ ${#missing[@]} -gt 0 ]; then
		if [ "$(id -u)" != 0 ]; then
			say "root is needed once, to install: ${missing[*]}"
			sudo=(sudo)
		fi
		say "installing on this machine: ${missing[*]}"
		mkdir -p "$logs"
		{
			"${sudo[@]}" apt-get update &&
				"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
					apt-get install --yes --no-install-recommends "${missing[@]}"
		} >"$logs/host.log" 2>&1 || die "apt-get failed; see $logs/host.log"
	fi
	mkdir -p "$cache"
	if [ "$(id -u)" != 0 ] && [ ! -e "$cache/.method" ]; then
		enter_method >"$cache/.method.new"
		mv "$cache/.method.new" "$cache/.method"
	fi
	if [ "$(enter_method)" = sudo ]; then
		say "this machine forbids user namespaces, so root is needed to enter the build root"
		sudo -v
		sudo_keepalive
	fi
}

# Keep sudo's time stamp fresh while this shell lives, so that no question
# comes half way.
sudo_keepalive() {
	local parent=$$
	while kill -0 "$parent" 2>/dev/null; do
		sudo -n -v || return
		sleep 50
	done &
}

# The mirror of Debian that this host uses, from either format of apt's
# configuration; empty when the host is no Debian (mmdebstrap has a default).
debian_mirror() {
	local files=(/etc/apt/sources.list /etc/apt/sources.list.d/*.list
		/etc/apt/sources.list.d/*.sources)
	grep -qx 'ID=debian' /etc/os-release || return 0
	{ cat -- "${files[@]}" 2>/dev/null || true; } | awk '
		/^deb[ \t]/ {
			sub(/\[[^]]*\]/, "")
			if ($3 !~ /security/ && / main/) found($2)
		}
		/^URIs:/ { uri = $2 }
		/^Suites:/ { suites = $2 }
		/^Components:/ { if (/ main/ && suites !~ /security/) found(uri) }
		function found(u) { if (u ~ /\/debian\/?$/ && !done++) print u }'
}
