#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Gets real libsinsp hosts for the tests: sysdig, and the libraries and headers
# that cpp/ is compiled against. Debian's testing suite carries both. Nothing is
# installed and root is not needed: a private apt with an empty package database
# downloads them and dpkg-deb unpacks them into .cache/host/root.
#
#   test/host/fetch.sh            does nothing when the last run fetched the same
#   test/host/fetch.sh --refresh  fetches again, what the suite holds today
#
# Environment: FIM_DEBIAN_MIRROR   the mirror, else that of the machine's own apt
#              FIM_DEBIAN_KEYRING  the keys to trust, else Debian's installed keyring
set -eu

suite=forky
# Taken with all that they depend on.
packages="sysdig libfalcosecurity0-dev nlohmann-json3-dev"
# Taken alone: headers only, but they depend on every JSON library of Debian.
bare="libvalijson-dev"
# The host is compiled with the machine's own C library.
unwanted="libc6-dev libc-dev-bin linux-libc-dev"
request="v1 $suite $packages $bare -$unwanted"

repo=$(cd "$(dirname "$0")/../.." && pwd)
dest=$repo/.cache/host
keyring=${FIM_DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

say() { echo "test/host/fetch.sh: $*" >&2; }
die() { say "$*"; exit 1; }

need() {
	for tool in apt-get dpkg dpkg-deb flock; do
		command -v $tool >/dev/null || die "$tool is missing: this needs a Debian or a system derived from it"
	done
	[ -r "$keyring" ] || die "$keyring is missing: install debian-archive-keyring, or name a keyring with FIM_DEBIAN_KEYRING"
}

# fetched says whether the last run got all of the request.
fetched() { [ "$(head -n 1 "$dest/stamp" 2>/dev/null)" = "$request" ]; }

# mirror prints the address from which this machine gets Debian. The label is
# known only where apt has been updated, so an unknown one is as good.
mirror() {
	[ -z "${FIM_DEBIAN_MIRROR:-}" ] || { echo "$FIM_DEBIAN_MIRROR"; return; }
	apt-get indextargets --format '$(LABEL) $(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk '$2 !~ /-security$/ && ($1 == "Debian" || $1 == "$(LABEL)") { print $3; exit }'
}

# configure DIR makes a private apt in DIR. The machine's own settings stay in
# force (proxies, certificates), apart from its hooks, which would act on the
# machine's package cache.
configure() {
	mkdir -p "$1/lists/partial" "$1/archives/partial"
	: >"$1/status"
	cat >"$1/apt.conf" <<-CONF
		Dir::State "$1";
		Dir::State::Lists "$1/lists";
		Dir::State::status "$1/status";
		Dir::Cache "$1";
		Dir::Cache::archives "$1/archives";
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
		Acquire::http::Timeout "30";
		Acquire::Retries "2";
		Debug::NoLocking "true";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear DPkg::Post-Invoke;
	CONF
}

# testing_only DIR MIRROR lets the private apt of DIR see nothing but the suite.
# Its date is not checked, since a mirror may be a frozen copy; its signature is.
testing_only() {
	echo "deb [arch=$(dpkg --print-architecture) signed-by=$keyring] $2 $suite main" >"$1/sources.list"
	cat >>"$1/apt.conf" <<-CONF
		Dir::Etc::SourceList "$1/sources.list";
		Dir::Etc::SourceParts "-";
		Acquire::Check-Valid-Until "false";
	CONF
}

# apt DIR COMMAND… runs apt-get on the private apt of DIR, and once more when it
# fails: a mirror that is being updated answers wrongly for a moment. What apt
# says is of interest only then.
apt() {
	conf=$1/apt.conf
	shift
	apt-get -q -c "$conf" "$@" >"$work/log" 2>&1 && return
	say "apt-get $* failed, trying once more:"
	tail -n 15 "$work/log" >&2
	sleep 2
	apt-get -q -c "$conf" "$@" >&2
}

# update DIR reads the package list. apt-get reports a list that it could not
# get as a warning only, unless told otherwise.
update() { apt "$1" -o APT::Update::Error-Mode=any update; }

# newer_keyring DIR gets the current keyring through the machine's own package
# sources, which the machine's own keys sign: trust grows from what is there.
newer_keyring() {
	say "$keyring may be older than $suite's keys, asking the machine's own suite for a newer one"
	configure "$1"
	update "$1" && (cd "$1" && apt "$1" download debian-archive-keyring) || return 1
	dpkg-deb -x "$1"/debian-archive-keyring_*.deb "$1/root"
	keyring=$1/root/usr/share/keyrings/debian-archive-keyring.gpg
}

# download DIR fills DIR/archives.
download() {
	from=$(mirror)
	[ -n "$from" ] || die "apt names no Debian mirror here: name one with FIM_DEBIAN_MIRROR"
	configure "$1/apt"
	testing_only "$1/apt" "$from"
	if ! update "$1/apt"; then
		newer_keyring "$1/own" || die "no usable package list of $suite and no newer keyring: is the network up?"
		configure "$1/apt"
		testing_only "$1/apt" "$from"
		update "$1/apt" || die "the mirror has no $suite that Debian's keys sign"
	fi
	apt "$1/apt" install --yes --download-only --no-install-recommends $packages ||
		die "could not download $packages"
	(cd "$1/apt/archives" && apt "$1/apt" download $bare) || die "could not download $bare"
}

# unpack DIR unpacks DIR/apt/archives into DIR/root and lists it in DIR/stamp.
unpack() {
	mkdir "$1/root"
	echo "$request" >"$1/stamp"
	for deb in "$1"/apt/archives/*.deb; do
		name=$(dpkg-deb -f "$deb" Package)
		case " $unwanted " in *" $name "*) continue ;; esac
		dpkg-deb -x "$deb" "$1/root"
		echo "$name $(dpkg-deb -f "$deb" Version)" >>"$1/stamp"
	done
}

# publish DIR puts what was unpacked in its place. The stamp comes last, so that
# a run that is cut off is not taken for a whole one.
publish() {
	rm -rf "$dest"
	mkdir "$dest"
	mv "$1/root" "$dest/root"
	mv "$1/stamp" "$dest/stamp"
}

[ $# -eq 0 ] || [ "$*" = --refresh ] || die "usage: fetch.sh [--refresh]"
[ $# -eq 0 ] && fetched && exit 0
need
mkdir -p "$repo/.cache"
# Test binaries of two packages may ask at once.
exec 9>"$dest.lock"
flock 9
[ $# -eq 0 ] && fetched && exit 0
work=$(mktemp -d "$dest.XXXXXX")
trap 'rm -rf "$work"' EXIT
download "$work"
unpack "$work"
publish "$work"
say "unpacked $(($(wc -l <"$dest/stamp") - 1)) packages of $suite into .cache/host"
