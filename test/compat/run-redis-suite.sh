#!/usr/bin/env bash
# Redis's own Tcl suite against this server: `npm run suite`, or `npm run suite -- unit/type/string` for some units.
#
# It is driven by `redis-suite`, a script that fetches the suite of Redis 7.0 and starts any server in redis-server's place.
# REDIS_SUITE names the script where it does not lie in ../shared/conformance. SUITE_BASEPORT: first of 90 ports it uses.
# SERVER_UNDER_TEST=redis-server runs the same tests against stock Redis.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
suite=${REDIS_SUITE:-../shared/conformance/redis-suite}
if [[ ! -x $suite ]]; then
  cat >&2 <<TEXT
There is no redis-suite at $suite. It is kept beside this project, in the repository's folder shared/conformance.
Name it with REDIS_SUITE=/path/to/redis-suite; or run the suite by hand: unpack the source of Redis 7.0.15, put a script at
src/redis-server that does  exec npx --prefix $PWD node $PWD/src/main.ts "\$@"  and call
  ./runtest --clients 1 --durable --skipfile <the tests in test/compat/SKIPS.md> --single unit/type/string …
TEXT
  exit 2
fi
skips=$(mktemp)
trap 'rm -f "$skips"' EXIT
cat "$(dirname "$suite")/skips-first-server.txt" >"$skips"
sed -n 's/^- `\(.*\)`: .*/\1/p' test/compat/SKIPS.md >>"$skips"
units=("$@")
[[ ${#units[@]} -gt 0 ]] || units=(
  unit/type/string unit/type/incr unit/type/hash unit/bitops unit/bitfield unit/keyspace unit/scan unit/expire unit/protocol unit/quit unit/multi
)
export SUITE_BASEPORT=${SUITE_BASEPORT:-27100}
"$suite" -s "$skips" "${SERVER_UNDER_TEST:-node src/main.ts}" "${units[@]}"
