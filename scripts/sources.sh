#!/bin/sh
# SPDX-License-Identifier: MIT
# sources.sh [libuv] [cmocka]: fetches their sources into build/sources, from the
# packages of the Debian or Ubuntu that this is. Sanitizer builds need libuv's,
# Windows builds need both, and they take them from there; where they are not
# there, CMake clones others.
#
# Nothing under /etc is changed: apt reads its own sources, as far as they have
# these packages and with deb turned into deb-src, from a folder of ours.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"

sources=$root/build/sources
apt=$root/build/apt

# Prints "URI suite" for each archive that has the libraries' packages.
archives() {
  apt-cache madison libuv1-dev libcmocka-dev | awk -F' *[|] *' '
    { split($3, at, " "); sub("/$", "", at[1]); sub("/.*", "", at[2])
      print at[1], at[2] }' | sort -u
}

# The one-line form: deb [options] URI suite component...
from_list() {
  awk -v archives="$1" '
    BEGIN { n = split(archives, a, "\n"); for (; n; n--) wanted[a[n]] }
    $1 != "deb" { next }
    { line = $0; sub(/\[[^]]*\]/, "", line); split(line, word, " ")
      sub("/$", "", word[2]) }
    (word[2] " " word[3]) in wanted { sub("deb", "deb-src"); print }' "$2"
}

# The deb822 form: stanzas of fields, which may be continued over lines.
from_stanzas() {
  awk -v archives="$1" '
    function finish(  i, j, u, s, uri, suite, found) {
      u = split(uris, uri, " ")
      s = split(suites, suite, " ")
      for (i = 1; i <= u; i++) {
        sub("/$", "", uri[i])
        for (j = 1; j <= s; j++)
          if ((uri[i] " " suite[j]) in wanted) found = 1
      }
      if (found && types ~ /deb( |$)/) printf "Types: deb-src\n%s\n", rest
      uris = suites = types = rest = ""
    }
    BEGIN { n = split(archives, a, "\n"); for (; n; n--) wanted[a[n]] }
    /^#/ { next }
    /^[ \t]*$/ { finish(); next }
    /^[^ \t]/ { field = tolower($1) }
    { value = $0; sub(/^[^ \t:]*:/, "", value) }
    field == "types:" { types = types " " value; next }
    field == "uris:" { uris = uris " " value }
    field == "suites:" { suites = suites " " value }
    { rest = rest $0 "\n" }
    END { finish() }' "$2"
}

# Copies what is wanted of the sources of this machine's apt.
derive() {
  list='' parts=''
  eval "$(apt-config shell list Dir::Etc::sourcelist/f \
    parts Dir::Etc::sourceparts/d)"
  for file in "$list" "$parts"*.list "$parts"*.sources; do
    [ -r "$file" ] || continue
    copy=$apt/parts/$(basename "$file")
    case $file in
      *.list) from_list "$1" "$file" ;;
      *) from_stanzas "$1" "$file" ;;
    esac >"$copy"
    [ -s "$copy" ] || rm "$copy"
  done
}

# apt-get with lists, sources and downloads of our own; so it needs no root.
ours() {
  set -- -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/parts" \
    -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
    -o Acquire::Languages=none "$@"
  # Its helper user may not be allowed to reach into this folder.
  [ "$(id -u)" -ne 0 ] || set -- -o APT::Sandbox::User=root "$@"
  (cd "$sources" && apt-get -qq "$@")
}

fetch() { # NAME SOURCE-PACKAGE
  rm -rf "${sources:?}/$2"-*/
  ours source "$2" && mv "$sources/$2"-*/ "$sources/$1"
}

[ $# -gt 0 ] || set -- libuv cmocka
wanted=
for name in "$@"; do
  [ -e "$sources/$name/CMakeLists.txt" ] || wanted="$wanted $name"
done
[ -n "$wanted" ] || exit 0
has apt-get || die "sources.sh is for Debian and Ubuntu; CMake clones them here"
build=$root/build
make_build_dir
install_missing dpkg-source
found=$(archives)
if [ -z "$found" ] && can_be_root; then # no lists here yet
  step packages.log "updating apt's lists" update_lists
  found=$(archives)
fi
[ -n "$found" ] || die "apt knows of no libuv1-dev and no libcmocka-dev"
rm -rf "$apt"
mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial" \
  "$sources"
derive "$found"
step sources.log "reading the list of source packages" ours update
for name in $wanted; do
  package=$name
  [ "$name" != libuv ] || package=libuv1
  step sources.log "fetching the source of $name" fetch "$name" "$package"
done
rm -rf "$apt"
