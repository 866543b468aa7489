#!/bin/sh
# build.sh PYTHON OUT [VERSION]: the Debian package of this tree, with all its Python libraries inside, into folder OUT.
#
# Debian 12 does not have most of them, and an appliance shall not need a package registry. PYTHON: an interpreter with
# pip whose minor version is that of the target's /usr/bin/python3.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
python=$1
out=$(mkdir -p "$2" && cd "$2" && pwd)
version=${3:-$(cd "$here" && "$python" -c 'import bridge; print(bridge.__version__)')}
minor=$("$python" -c 'import sys; print(sys.version_info.minor)')
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
umask 022

echo "Collecting gsm-bridge and its libraries ..."
mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/DEBIAN" "$root/usr/share/doc/gsmbridge"
"$python" -m pip install --quiet --disable-pip-version-check --no-compile --root-user-action=ignore \
    --target "$root/usr/lib/gsmbridge" "$here"
rm -rf "$root/usr/lib/gsmbridge/bin" "$root/usr/lib/gsmbridge/share"
find "$root/usr/lib/gsmbridge" -name __pycache__ -prune -exec rm -rf {} +
find "$root/usr/lib/gsmbridge" -type f -exec chmod 644 {} +

cat >"$root/usr/bin/gsmbridge" <<'PROGRAM'
#!/usr/bin/python3 -I
import sys

sys.path.insert(0, "/usr/lib/gsmbridge")

from bridge.cli import main

sys.exit(main())
PROGRAM
chmod 755 "$root/usr/bin/gsmbridge"
(cd "$here" && "$python" -m bridge.cli install --root "$root" --command /usr/bin/gsmbridge >/dev/null)
cp "$here"/bridge/manual/*.md "$root/usr/share/doc/gsmbridge/"
cp "$here/LICENSE" "$root/usr/share/doc/gsmbridge/copyright"
gzip -9 -n -c "$here/CHANGELOG.md" >"$root/usr/share/doc/gsmbridge/changelog.gz"

sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" \
    -e "s/@PYTHON@/3.$minor/" -e "s/@PYTHON_NEXT@/3.$((minor + 1))/" \
    -e "s/@SIZE@/$(du -sk "$root/usr" | cut -f1)/" "$here/systemd/debian/control" >"$root/DEBIAN/control"
for script in postinst prerm postrm; do
    install -m 755 "$here/systemd/debian/$script" "$root/DEBIAN/$script"
done
(cd "$root" && find usr -type f -exec md5sum {} + >DEBIAN/md5sums)
dpkg-deb --root-owner-group -Zxz -z1 --build "$root" "$out/gsmbridge_${version}_$architecture.deb"
