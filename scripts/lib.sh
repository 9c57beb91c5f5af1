# Shared by the scripts here; meant to be sourced.

# Pinned, so that a new version is a change somebody made.
STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FERRETDB=v2.7.0

step() { printf '\n== %s\n' "$*"; }

fail() {
	printf '%s\n' "$*" >&2
	exit 1
}

# need_go: the version in go.mod, or one that fetches it by itself.
need_go() {
	command -v go >/dev/null || fail "Go is missing: https://go.dev/dl/ ($(sed -n 's/^go //p' go.mod) or newer)"
	go version
}

# need_command NAME PACKAGE...: install the Debian packages unless the command is there.
need_command() {
	command -v "$1" >/dev/null && return
	name=$1
	shift
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "$name is missing; on Debian: apt-get install $*"
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

# with_mongo sees to it that tests find a MongoDB: the one that
# ENROUTE_TEST_MONGO names, or one that is started for them and ended when the
# script ends, however it does.
with_mongo() {
	[ -z "${ENROUTE_TEST_MONGO:-}" ] || return 0
	if ! scripts/mongo-wire running; then
		trap 'scripts/mongo-wire down' EXIT
		trap 'exit 130' INT TERM
		scripts/mongo-wire up
	fi
	ENROUTE_TEST_MONGO=$(scripts/mongo-wire uri)
	export ENROUTE_TEST_MONGO
}
