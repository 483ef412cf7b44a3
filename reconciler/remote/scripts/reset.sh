# shellcheck shell=bash disable=SC2034,SC2154
# Empties the workspace. What must outlive it stays: lease, id and done/, and the files that calls hold locks on.

# A run that may still do something; an unreadable answer counts as one.
is_active() {
  local dir=$1
  [[ -n ${R[stuck]-} || (-z ${R[result]-} && ${R[started]-} != void) ]] || return 1
  lock_state "$dir"
  [[ $LOCK == free ]] || return 0
  [[ -n ${R[started]-} && ${R[started]} == *";b=$BOOT" ]] || return 1
  FOUND=() SESSION=
  mark_of "$dir" && scan || return 0
  ((${#LIVING[@]}))
}

receive
exec 3<&-
read_fields
need find stat flock grep readlink setsid ln mv mkdir rm
require_lease
SUPERVISOR='' ACTIVE=''
for DIRECTORY in _/runs/*/; do
  DIRECTORY=${DIRECTORY%/}
  read_records "$DIRECTORY"
  if is_active "$DIRECTORY"; then ACTIVE+=" ${DIRECTORY##*/}"; fi
done
[[ -z $ACTIVE ]] || refuse "still active:$ACTIVE (cancel them first, or wait until they have ended)"
RUNS=0
for DIRECTORY in _/runs/*/; do
  DIRECTORY=${DIRECTORY%/}
  read_records "$DIRECTORY"
  # What died without a word is over, too: it must not run again.
  [[ -n ${R[result]-} || -z ${R[started]-} || ${R[started]} == void ]] || printf -v 'R[result]' 'state=lost;r=SupervisorGone;t=%(%s)T' -1
  [[ -n ${R[started]-} ]] || R[started]=void
  read_settings "$DIRECTORY"
  drop_secrets
  if mark_done "${DIRECTORY##*/}" && mv -T -- "$DIRECTORY" "_/trash/${DIRECTORY##*/}.$NONCE"; then ((++RUNS)); fi
done
CACHE=0
if [[ -d _/cache && ! -L _/cache ]] && mv -T -- _/cache "_/trash/cache.$NONCE"; then CACHE=1; fi
TRASH=(_/trash/*)
rm -f -- _/fleet _/name _/revision
empty_trash
LEFT=(_/trash/* _/runs/*)
frame removed "runs=$RUNS
cache=$CACHE
trash=$((${#TRASH[@]} - RUNS - CACHE))
left=${#LEFT[@]}"
finish 0
