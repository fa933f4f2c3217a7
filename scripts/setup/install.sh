#!/bin/sh
# Installs the Debian packages named as arguments; runs as root.
#
# Debian starts a newly installed daemon at once and enables it for the next boot. Ours are started
# by the commands that need them, so neither is wanted:
# - /usr/sbin/policy-rc.d, Debian's way to say "start nothing", stands there while this script runs,
#   unless the machine has one of its own. Should this script be killed, the next run removes it.
# - Services that were not enabled before are disabled afterwards. Whoever wants one enables it.
set -u
policy=${OCELLUS_POLICY_RC_D:-/usr/sbin/policy-rc.d} # another one only in tests
mark="# written by the set-up of ocellus while it installs packages; safe to remove"

# What starts at boot, a line each: units, and System V scripts as "script NAME".
enabled() {
  {
    systemctl list-unit-files --state=enabled --plain --no-legend 2>/dev/null | cut -d " " -f 1
    find /etc/rc[2345].d -name "S*" 2>/dev/null | sed "s/.*S[0-9][0-9]/script /"
  } | sort -u
}

finish() {
  [ -z "$own_policy" ] || rm -f "$policy"
  enabled | while read -r word name; do
    if printf "%s\n" "$before" | grep -qxF "$word${name:+ $name}"; then continue; fi
    case $word in
    script) update-rc.d "$name" disable ;;
    *) systemctl disable --quiet "$word" ;;
    esac
  done
}

own_policy=
before=$(enabled)
if grep -qsF "$mark" "$policy"; then rm -f "$policy"; fi
trap finish EXIT
trap "exit 130" INT TERM HUP
if [ ! -e "$policy" ]; then
  own_policy=yes
  printf "#!/bin/sh\n%s\nexit 101\n" "$mark" >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
install() {
  apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

# An installation that was interrupted has to be finished before apt does anything else.
if [ -n "$(dpkg --audit)" ]; then dpkg --configure --pending; fi

# The lists may be missing or old; they are fetched only if it does not go without.
install "$@" || {
  echo "once more, with new lists:"
  apt-get update && install "$@"
}
