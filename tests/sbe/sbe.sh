#!/bin/sh
# sbe.sh BUILD_DIR CC: generates C from schema/records.xml with the official SBE tool (fetched by Maven, never kept), encodes
# every message with it and compares the bytes with ours.  Exit code 77, a visible skip, where Java or Maven is absent or the
# tool cannot be had.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source_dir=$(cd "$here/../.." && pwd)
build=$1
cc=$2
version=1.38.1

for tool in java mvn; do
    if ! command -v $tool >/dev/null 2>&1; then
        echo "SKIPPED: no $tool here" >&2
        exit 77
    fi
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/kdp-sbe.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cat >"$dir/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>kdp</groupId><artifactId>sbe-test</artifactId><version>1</version>
<dependencies><dependency><groupId>uk.co.real-logic</groupId><artifactId>sbe-all</artifactId>
<version>$version</version></dependency></dependencies></project>
POM
if ! mvn -q -B -f "$dir/pom.xml" dependency:copy-dependencies -DoutputDirectory="$dir/jars" >"$dir/mvn.log" 2>&1; then
    echo "SKIPPED: Maven cannot get sbe-all $version:" >&2
    tail -3 "$dir/mvn.log" >&2
    exit 77
fi
java --add-opens java.base/jdk.internal.misc=ALL-UNNAMED -Dsbe.target.language=C -Dsbe.output.dir="$dir/generated" \
    -Dsbe.validation.stop.on.error=true -jar "$dir/jars/sbe-all-$version.jar" "$source_dir/schema/records.xml"
# the generated C is not written for our warnings, and its <kdp/...> must not meet ours: two compilations
$cc -std=gnu11 -O1 -w -isystem "$dir/generated" -I"$here" -c "$here/encode.c" -o "$dir/encode.o"
$cc -std=c17 -O1 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$here" -I"$source_dir/src/codec" -I"$source_dir/include" \
    -I"$build/include" -c "$here/check.c" -o "$dir/check.o"
$cc "$dir/check.o" "$dir/encode.o" "$build/src/libkdp_codec.a" "$build/src/libkdp_base.a" -lxxhash -lm -lpthread \
    -o "$dir/check"
"$dir/check"
