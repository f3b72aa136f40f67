#!/usr/bin/env bash
# test_deb.sh DIST [12|13]...: each Debian package for this machine's architecture in a clean root of its own: installed,
# with a test message that arrives; then with systemd running there: the service sends a message about a job, is upgraded
# (edits of the configuration stay), removed and purged. Then the commands of systemd/README.md install, use, upgrade and
# remove the service from the sources, and the wheel is installed, each with a message that arrives.
# Needs root, debootstrap, systemd-nspawn, Debian's archive and a package index. Roots stay in $ROOTS for the next time.
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
root=
leader= # the systemd of the root, once it runs
close_root() {
    [ -z "$leader" ] || { kill -KILL "$leader" && wait "$container"; } 2>/dev/null || true
    leader=
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root" # whatever may still be mounted there
}
finish() {
    [ -z "${inbox:-}" ] || kill "$inbox" 2>/dev/null || true
    [ -z "$root" ] || close_root
    rm -rf "$work"
}
trap finish EXIT

in_root() {
    if [ -n "$leader" ]; then nsenter --target "$leader" --all "$@"; else chroot "$root" "$@"; fi
}

expect() { # WHAT COMMAND...: a check that fails loudly
    local what=$1
    shift
    "$@" >"$work/out" 2>&1 || { echo "FAILED: $what"; tail -30 "$work/out"; exit 1; }
    echo "  ok: $what"
}

await() { # WHAT COMMAND...: a check that may need a minute
    local what=$1
    shift
    for _ in $(seq 300); do "$@" >"$work/out" 2>&1 && break; sleep 0.2; done
    expect "$what" "$@"
}

boot() {
    umount "$root/proc" 2>/dev/null || true
    tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id" # without one, a first boot would enable the service
    local options=(--quiet --register=no --directory "$root" --boot)
    [ -d /run/systemd/system ] || options+=(--keep-unit) # this machine has no systemd that could make a unit
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn "${options[@]}" </dev/null >"$work/boot" 2>&1 &
    container=$!
    await "systemd starts" pgrep --parent "$container"
    leader=$(pgrep --parent "$container")
    await "and has started everything" in_root systemctl is-system-running
}

readme() { # NUMBER: a block of commands of the README, as it stands
    awk -v wanted="$1" '/^```sh/ {inside = ++number == wanted; next} /^```/ {inside = 0} inside' \
        "$here/../systemd/README.md" >"$root/src/commands.sh"
    expect "systemd/README.md, block $1: $(head -1 "$root/src/commands.sh")" in_root bash -euc 'cd /src && . ./commands.sh'
}

fill_in() { # NAME: the installed configuration with this machine as API, and the two secrets
    sed -i "s|^api:|api:\n  base_url: http://127.0.0.1:$port\n  token: {value: a-token}|" "$root/etc/gemwatch/config.yaml"
    echo 'web: {listen: "off"}' >>"$root/etc/gemwatch/config.yaml"
    echo a-key >"$root/etc/gemwatch/secrets/tomtom-api-key"
    echo "json://127.0.0.1:$port/$1" >"$root/etc/gemwatch/secrets/slack-url"
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
    printf 'api: {key: a-key, token: {value: a-token}}\nnotify: {inbox: {url: "json://127.0.0.1:%s/%s"}}\n' \
        "$port" "$name" >"$root/test.yaml"
    expect "a test message is sent" in_root gemwatch test-notify --config /test.yaml
    expect "and arrives" grep -q "^/$name " "$work/messages"

    expect "what a host has" in_root apt-get -qq install --no-install-recommends systemd-sysv dbus sudo
    boot
    fill_in "$name-service"
    expect "the service starts" in_root systemctl enable --now gemwatch
    expect "a job is added" in_root gemwatch watch 123456789
    await "its message arrives" grep -q "^/$name-service SUCCESS" "$work/messages"

    expect "reload" in_root systemctl reload gemwatch
    expect "a process of its user runs" in_root pgrep --uid gemwatch
    before=$(in_root systemctl show --property MainPID gemwatch)
    expect "upgrade" in_root apt-get -qq install --no-install-recommends /new.deb
    expect "the new version is installed" test "$(in_root dpkg-query -W -f '${Version}' gemwatch)" = \
        "$(dpkg-deb -f "$package" Version)"
    expect "edits of the configuration stay" grep -q "127.0.0.1:$port" "$root/etc/gemwatch/config.yaml"
    expect "the service runs" in_root systemctl is-active gemwatch
    expect "and is a new process" test "$(in_root systemctl show --property MainPID gemwatch)" != "$before"

    expect "remove" in_root apt-get -qq remove gemwatch
    expect "the service has ended" test -z "$(in_root pgrep --uid gemwatch || true)"
    expect "nothing of the program is left" test ! -e "$root/usr/lib/gemwatch"
    expect "the configuration stays" test -e "$root/etc/gemwatch/config.yaml"
    expect "purge" in_root apt-get -qq purge gemwatch
    expect "no configuration, secret, store or login is left" test ! -e "$root/etc/gemwatch" -a ! -e "$root/var/lib/gemwatch"

    expect "Python for virtual environments" in_root apt-get -qq install --no-install-recommends python3-venv ca-certificates
    mkdir "$root/src"
    git -C "$here/.." archive HEAD | tar -x -C "$root/src"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # a network with a CA of its own
    readme 1 # install
    fill_in "$name-sources" # instead of blocks 2 and 3, which a person fills in
    readme 4 # start
    readme 5 # check
    expect "a test message arrives" grep -q "^/$name-sources TEST" "$work/messages"
    readme 6 # use
    await "the job's message arrives" grep -q "^/$name-sources SUCCESS" "$work/messages"
    readme 7 # upgrade
    expect "the service runs" in_root systemctl is-active gemwatch
    readme 8 # uninstall
    expect "nothing is left" test ! -e "$root/opt/gemwatch" -a ! -e "$root/etc/gemwatch" -a ! -e "$root/var/lib/gemwatch"

    cp "$dist"/gemwatch-*.whl "$root/"
    expect "the wheel" in_root bash -euc 'python3 -m venv /wheel && /wheel/bin/pip install --quiet /gemwatch-*.whl'
    in_wheel() { in_root env TOMTOM_API_KEY=a-key INBOX_URL="json://127.0.0.1:$port/$name-wheel" /wheel/bin/gemwatch "$@"; }
    expect "gemwatch init" in_wheel init --config /wheel/config.yaml --target inbox=INBOX_URL
    expect "gemwatch check" in_wheel check --config /wheel/config.yaml
    expect "a test message is sent" in_wheel test-notify --config /wheel/config.yaml
    expect "and arrives" grep -q "^/$name-wheel " "$work/messages"
    close_root
done; done
echo "All Debian packages install, run, upgrade, remove and purge; the commands of systemd/README.md and the wheel work."
