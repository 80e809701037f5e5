#!/usr/bin/env bash
# The server for those units of Redis's suite that put files of a Redis server into a folder, again and again, and start on them:
# one shard, one worker, and the files on disk win over what an earlier test took over.
exec node "${SKEIN_MAIN:-$(dirname "${BASH_SOURCE[0]}")/../../src/main.ts}" "$@" --shards 1 --workers 1 --changed-redis-files load
