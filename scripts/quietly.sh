#!/bin/sh
# quietly.sh LOG COMMAND...: runs a command with its output in LOG; shows it when the command fails, and always under V=1.
set -u
log=$1
shift
[ -n "${V:-}" ] && exec "$@"
mkdir -p "$(dirname "$log")"
"$@" >"$log" 2>&1 && exit 0
status=$?
tail -n 60 "$log" >&2
echo "!! failed (exit $status): $*" >&2
echo "!! all of its output: $log" >&2
exit "$status"
