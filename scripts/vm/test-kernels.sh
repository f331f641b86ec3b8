#!/bin/sh
# test-kernels.sh NODE KERNEL...: loads, attaches and sends packets under each kernel, one guest after the other; a failure does not
# stop the next one. FILTER: parts of test files' paths; ALL=1: also what is left out because it takes long. Ends with a summary.
set -u
node=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
summary=
failed=0
for kernel in "$@"; do
	printf '\n=== kernel %s\n' "$kernel"
	started=$(date +%s)
	"$here/run-guest.sh" "$kernel" "ALL='${ALL:-}' '$node' test/vm/run.ts ${FILTER:-}"
	status=$?
	took="$(($(date +%s) - started)) s"
	case $status in
	0) result="ok      kernel $kernel in $took" ;;
	124) result="FAILED  kernel $kernel: time limit, after $took" ;;
	*) result="FAILED  kernel $kernel (exit $status) in $took" ;;
	esac
	[ $status = 0 ] || failed=1
	summary="$summary$result
"
done
printf '\n=== summary\n%s' "$summary"
exit $failed
