#!/bin/sh
# Installs the Debian packages named as arguments; runs as root.
#
# A newly installed daemon would start at once. Debian's way to say no is /usr/sbin/policy-rc.d: it
# stands there while this script runs, unless the machine has one of its own. Should this script be
# killed, the next run removes what it left.
set -u
policy=/usr/sbin/policy-rc.d
mark="# written by the set-up of ocellus while it installs packages; safe to remove"

if grep -qsF "$mark" "$policy"; then rm -f "$policy"; fi
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
install() {
  apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

# An installation that was interrupted has to be finished before apt does anything else.
if [ -n "$(dpkg --audit)" ]; then dpkg --configure --pending; fi

# The lists may be missing or old; they are fetched only if it does not go without.
install "$@" || { apt-get update && install "$@"; }
