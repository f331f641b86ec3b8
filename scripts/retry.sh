#!/bin/sh
# retry.sh COMMAND...: runs a command that talks to a package registry, up to four times, waiting 2, 4 and 8 seconds.
set -u
delay=2
for attempt in 1 2 3 4; do
	"$@" && exit 0
	status=$?
	[ "$attempt" = 4 ] && break
	echo "  ! '$1' failed (exit $status), trying again in $delay s" >&2
	sleep "$delay"
	delay=$((delay * 2))
done
exit "$status"
