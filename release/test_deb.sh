#!/usr/bin/env bash
# test_deb.sh DIST [12|13]...: each Debian package for this machine's architecture in a clean root of its own: installed
# (with a test message that arrives), upgraded (edits of the configuration stay), removed and purged. Then the commands of
# systemd/README.md install the program from the sources in the same root, and then the wheel, each with a test message.
# Needs root, debootstrap, Debian's archive and a package index. Roots are kept in $ROOTS for the next time.
set -euo pipefail
dist=$(realpath "$1")
shift
here=$(dirname "$(realpath "$0")")
roots=${ROOTS:-/var/tmp/gemwatch-roots}
architecture=$(dpkg --print-architecture)
mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1 || true)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
declare -A names=([12]=bookworm [13]=trixie)

work=$(mktemp -d)
finish() {
    [ -z "${inbox:-}" ] || kill "$inbox" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

expect() { # WHAT COMMAND...: a check that fails loudly
    local what=$1
    shift
    "$@" >"$work/out" 2>&1 || { echo "FAILED: $what"; tail -30 "$work/out"; exit 1; }
    echo "  ok: $what"
}

python3 "$here/inbox.py" "$work/port" "$work/messages" &
inbox=$!
for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
port=$(cat "$work/port")

for debian in "${@:-12 13}"; do for debian in $debian; do
    name=${names[$debian]}
    package=$(ls "$dist"/gemwatch_*~deb"$debian"_"$architecture".deb)
    echo "Debian $debian ($name): $(basename "$package")"
    if [ ! -e "$roots/$name/etc/debian_version" ]; then
        mkdir -p "$roots"
        debootstrap --variant=minbase "$name" "$roots/$name" ${mirror:+"${mirror% }"} >/dev/null
    fi
    root=$work/$name
    cp -a "$roots/$name" "$root"
    mount -t proc proc "$root/proc" 2>/dev/null || true
    trap 'umount "$root/proc" 2>/dev/null || true; finish' EXIT
    in_root() { chroot "$root" "$@"; }

    # An earlier version, to upgrade from: the same package with another number.
    dpkg-deb -R "$package" "$work/old"
    sed -i 's/^Version: .*/Version: 0.0.0~test/' "$work/old/DEBIAN/control"
    dpkg-deb -b "$work/old" "$root/old.deb" >/dev/null
    rm -rf "$work/old"
    cp "$package" "$root/new.deb"

    expect "apt update" in_root apt-get -qq update
    expect "install" in_root apt-get -qq install --no-install-recommends /old.deb
    expect "the program starts" in_root gemwatch --version
    expect "it imports everything that it needs" in_root gemwatch schema
    expect "its user exists" in_root id gemwatch
    expect "its bytecode exists" in_root test -n "$(find "$root/usr/lib/gemwatch/lib" -name '*.pyc' -print -quit)"
    expect "the secrets' folder is closed" test "$(stat -c '%a %U' "$root/etc/gemwatch/secrets")" = "700 root"
    expect "the sample configuration needs secrets only" bash -c \
        "chroot '$root' gemwatch check --config /etc/gemwatch/config.yaml 2>&1 | grep -q 'no mistake was found in what can be checked now'"
    for file in usr/lib/systemd/system/gemwatch.service usr/share/man/man1/gemwatch.1.gz \
        usr/share/man/man5/gemwatch.yaml.5.gz usr/share/bash-completion/completions/gemwatch; do
        case $file in usr/share/man/*) from="dpkg -L gemwatch";; *) from="ls /$file";; esac
        expect "$file" bash -c "chroot '$root' $from | grep -qx '/$file'"
    done
    expect "the unit starts the installed program" test -x \
        "$root$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$root/usr/lib/systemd/system/gemwatch.service")"
    configure() {
        printf 'api: {key: a-key, token: {value: a-token}}\nnotify: {inbox: {url: "json://127.0.0.1:%s/%s"}}\nstore: {url: "sqlite:////var/lib/gemwatch/gemwatch.db"}\n' \
            "$port" "$1" >"$root/etc/gemwatch/config.yaml"
        in_root install -d -o gemwatch -g gemwatch -m 700 /var/lib/gemwatch
        expect "a test message is sent" in_root setpriv --reuid gemwatch --regid gemwatch --clear-groups \
            env HOME=/var/lib/gemwatch gemwatch test-notify
        expect "and arrives" grep -q "^/$1 " "$work/messages"
    }
    configure "$name"

    expect "upgrade" in_root apt-get -qq install --no-install-recommends /new.deb
    expect "the new version is installed" test "$(in_root dpkg-query -W -f '${Version}' gemwatch)" = \
        "$(dpkg-deb -f "$package" Version)"
    expect "edits of the configuration stay" grep -q "127.0.0.1:$port/$name" "$root/etc/gemwatch/config.yaml"
    expect "the new program starts" in_root gemwatch check

    expect "remove" in_root apt-get -qq remove gemwatch
    expect "nothing of the program is left" test ! -e "$root/usr/lib/gemwatch"
    expect "the configuration stays" test -e "$root/etc/gemwatch/config.yaml"
    expect "purge" in_root apt-get -qq purge gemwatch
    expect "no configuration, secret, store or login is left" test ! -e "$root/etc/gemwatch" -a ! -e "$root/var/lib/gemwatch"

    expect "Python for virtual environments" in_root apt-get -qq install --no-install-recommends python3-venv ca-certificates
    mkdir "$root/src"
    git -C "$here/.." archive HEAD | tar -x -C "$root/src"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # a network with a CA of its own
    # The first block of the README, as it stands.
    awk '/^```sh/ {inside = 1; next} /^```/ && inside {exit} inside' "$here/../systemd/README.md" >"$root/src/install.sh"
    expect "the commands of systemd/README.md" in_root bash -euc 'cd /src && . ./install.sh'
    configure "$name-from-the-sources"

    cp "$dist"/gemwatch-*.whl "$root/"
    expect "the wheel" in_root bash -euc 'python3 -m venv /wheel && /wheel/bin/pip install --quiet /gemwatch-*.whl'
    in_wheel() { in_root env TOMTOM_API_KEY=a-key INBOX_URL="json://127.0.0.1:$port/$name-wheel" /wheel/bin/gemwatch "$@"; }
    expect "gemwatch init" in_wheel init --config /wheel/config.yaml --target inbox=INBOX_URL
    expect "gemwatch check" in_wheel check --config /wheel/config.yaml
    expect "a test message is sent" in_wheel test-notify --config /wheel/config.yaml
    expect "and arrives" grep -q "^/$name-wheel " "$work/messages"
    umount "$root/proc" 2>/dev/null || true
    rm -rf "$root"
done; done
echo "All Debian packages install, upgrade, remove and purge; the commands of systemd/README.md and the wheel work."
