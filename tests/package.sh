#!/bin/sh
# SPDX-License-Identifier: MIT
# package.sh: makes the Debian package, installs it, has its programs serve and a
# foreign program built against it, and removes it: no file may be left. Where we
# are not root it is unpacked into a folder and not installed.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"

out=$build/package/deb
installed=

# Every name on the file system, but for what others write meanwhile, and what
# dpkg writes for itself at any time.
names() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run \
    -o -path /tmp -o -path /var/tmp -o -path /var/log -o -path /var/cache \
    -o -path /home -o -path /root -o -path /work -o -path "$root" \
    -o -path "$build" -o -path '/var/lib/dpkg/*-old' \
    -o -path '/var/lib/dpkg/lock*' -o -path /var/lib/dpkg/triggers \
    -o -path /var/lib/apt \) -prune -o -print | LC_ALL=C sort
}

finish() {
  [ -z "$installed" ] || dpkg --purge teller >/dev/null 2>&1
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# use PREFIX: what was installed there works.
use() {
  for program in teller-echo teller-load; do
    "$1/bin/$program" --version || die "$program does not run"
  done
  "$1/bin/teller-echo" --listen 127.0.0.1:0 --loops 2 >"$out/echo.log" &
  server=$!
  tries=0
  until address=$(grep -oE -m1 '127\.0\.0\.1:[1-9][0-9]*' "$out/echo.log"); do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || break
    sleep 0.1
  done
  status=0
  timeout 60 "$1/bin/teller-load" "$address" --connections 20 \
    --round-trips 100 --quiet || status=$?
  kill -INT "$server"
  wait "$server" || status=$?
  [ "$status" -eq 0 ] || die "the programs failed: $status"
  # shellcheck disable=SC2046
  $(compiler) -o "$out/host" "$root/tests/embed/host.c" \
    $(pkg-config --cflags --libs teller) || die "cannot build a host"
  timeout 100 "$out/host" || die "the host failed"
}

make_build_dir
# Once more from the start: a file of an older one would stay in it.
rm -rf "$out"
mkdir -p "$out"
step configure.log "configuring in $build/package" \
  cmake --preset package -S "$root" -B "$build/package"
step build.log "building" \
  cmake --build "$build/package" --parallel "$(cores)"
step package.log "packing" \
  cpack --config "$build/package/CPackConfig.cmake" -G DEB -B "$out"
deb=$(echo "$out"/teller_*.deb)
dpkg-deb --info "$deb" | grep -E '^ Depends:.*libc6.*libuv1' ||
  die "its dependencies are not there"
dpkg-deb --contents "$deb" >"$out/contents"
for file in bin/teller-echo bin/teller-load include/teller.h \
  'lib/.*libteller\.so' 'lib/.*/tellerConfig\.cmake' 'lib/.*/teller\.pc' \
  share/man/man1/teller-echo.1 share/man/man1/teller-load.1 \
  share/man/man3/teller.3 share/teller/result.schema.json share/doc/teller/LICENSE \
  'lib/systemd/system/teller-echo\.service' \
  'lib/systemd/system/teller-echo\.socket'; do
  grep -qE " \./usr/$file( |$)" "$out/contents" ||
    die "$deb has no $file"
done

if [ "$(id -u)" -ne 0 ]; then
  dpkg-deb --extract "$deb" "$out/unpacked" || die "cannot unpack $deb"
  lib=$(dirname "$(find "$out/unpacked" -name libteller.so)")
  export LD_LIBRARY_PATH="$lib" PKG_CONFIG_PATH="$lib/pkgconfig"
  use "$out/unpacked/usr"
  echo "unpacked, and not installed: we are not root"
  exit
fi
! dpkg --status teller >/dev/null 2>&1 || die "a teller is installed already"
names >"$out/before"
installed=yes
dpkg --install "$deb" || die "cannot install $deb"
use /usr
dpkg --listfiles teller >"$out/files"
dpkg --purge teller || die "cannot remove it"
installed=
names >"$out/after"
diff "$out/before" "$out/after" || die "the files are not those from before"
! ldconfig -p 2>/dev/null | grep teller || die "ldconfig still knows it"
echo "installed, used and removed; $(wc -l <"$out/files") names came and went"
