#!/bin/sh
# Made this archive once: a Debian mirror with one source package and one .deb, for the tests of the set-up. The index
# lists a .dsc, as Debian's does; the file is not there, since nothing may ask for it.
# Needs dpkg-dev and gpg. The signing key is thrown away; key.gpg is its public half.
# Dated in the past, so that it is valid whatever a test machine's clock says.
set -eu
cd "$(dirname "$0")"
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
at="--faked-system-time 20250101T000000!"
name=ocellus-sample
pool=pool/main/o/$name
rm -rf pool dists
mkdir -p "$pool" dists/trixie/main/source dists/trixie/main/binary-amd64 "$GNUPGHOME/$name-2.0/debian/source"
(
  cd "$GNUPGHOME/$name-2.0"
  echo "sample 2.0" >content
  echo "3.0 (native)" >debian/source/format
  printf '%s (2.0) unstable; urgency=low\n\n  * Sample.\n\n -- ocellus authors <nobody@localhost>  Wed, 01 Jan 2025 00:00:00 +0000\n' "$name" >debian/changelog
  printf 'Source: %s\nMaintainer: ocellus authors <nobody@localhost>\nStandards-Version: 4.6.2\n\nPackage: %s\nArchitecture: all\nDescription: sample\n' "$name" "$name" >debian/control
  printf '#!/usr/bin/make -f\n' >debian/rules
  chmod +x debian/rules
)
(cd "$pool" && dpkg-source -b "$GNUPGHOME/$name-2.0")
sources=main/source/Sources
{
  echo "Package: $name"
  sed -e '/^Source:/d' "$pool/${name}_2.0.dsc" | sed -e '/^Checksums-Sha1:/,/^Checksums-Sha256:/{/^Checksums-Sha256:/!d}' -e '/^Files:/,$d'
  (cd "$pool" && sha256sum "${name}_2.0.dsc" | while read -r hash file; do echo " $hash $(stat -c %s "$file") $file"; done)
  echo "Directory: $pool"
} >dists/trixie/$sources
rm "$pool/${name}_2.0.dsc"
packages=main/binary-amd64/Packages
deb=$pool/$name-files_2.0_all.deb
(
  cd "$GNUPGHOME"
  mkdir -p files/DEBIAN files/usr/src
  echo "files 2.0" >files/usr/src/content
  printf 'Package: %s-files\nVersion: 2.0\nArchitecture: all\nMaintainer: ocellus authors <nobody@localhost>\nDescription: sample\n' "$name" >files/DEBIAN/control
)
SOURCE_DATE_EPOCH=1735689600 dpkg-deb --root-owner-group --build "$GNUPGHOME/files" "$deb"
{
  cat "$GNUPGHOME/files/DEBIAN/control"
  printf 'Filename: %s\nSize: %s\nSHA256: %s\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
} >dists/trixie/$packages
(
  cd dists/trixie
  printf 'Origin: ocellus tests\nSuite: trixie\nCodename: trixie\nComponents: main\nArchitectures: all amd64\nDate: Wed, 01 Jan 2025 00:00:00 UTC\nSHA256:\n' >Release
  for index in $sources $packages; do
    echo " $(sha256sum $index | cut -d' ' -f1) $(stat -c %s $index) $index" >>Release
  done
)
gpg $at --batch --quiet --passphrase "" --quick-gen-key "ocellus test archive (signs nothing real)" ed25519 sign never
gpg $at --batch --quiet --clearsign --output dists/trixie/InRelease dists/trixie/Release
gpg --batch --export --output key.gpg.new && mv key.gpg.new key.gpg
rm -rf dists/trixie/Release "$GNUPGHOME"
