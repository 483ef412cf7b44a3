# shellcheck shell=bash disable=SC2034,SC2154
# Runs that nobody supervises: what never started, and what is left of those whose supervisor is gone.

# Sets MARK of a run directory from its records, and RUN_DIR: a worker may have removed the one, or have changed the other.
mark_of() {
  RUN_DIR=$PWD/$1 MARK="${1##*/};-"
  [[ ! ";${R[owner]-}" =~ \;m=([A-Za-z0-9]+) ]] || MARK="${1##*/};${BASH_REMATCH[1]}"
}

# Does something of a run live that has no records any more? Then it was started.
is_wiped() {
  [[ -z ${R[owner]-} ]] || return 1
  FOUND=() SESSION=
  mark_of "$1"
  scan && ((${#LIVING[@]})) || return 1
  R[started]="p=0;s=0;b=$BOOT"
  record "$1" started "${R[started]}"
  return 0
}

# From now on this run can never start. What it was sent is removed.
void() {
  record "$1" started void || [[ $(readlink -- "$1/started") == void ]] || return 1
  read_settings "$1"
  drop_secrets
  drop_tools "$1"
  return 0
}

# Ends a started run without a supervisor, whose lock is ours. WORD: ended, ending (a reaper is at it), unknown, failed.
end_orphan() {
  local dir=$1 state=$2 reason=$3
  WORD=ended
  if [[ ${R[started]} != *';b='* || ${R[started]} == *";b=$BOOT" ]]; then
    WORD=unknown
    FOUND=() SESSION=
    mark_of "$dir"
    scan || return 0
    # What forks while it is looked for is there the second time.
    if ((${#LIVING[@]} == 0)); then scan || return 0; fi
    if ((${#LIVING[@]})); then
      WORD=ending
      # From memory: the file may be gone, a worker's own, or more than the disk has room for.
      detach -c "$SUPERVISOR" supervisor.sh reap "$PWD/$dir" "$state" "$reason" &
      return
    fi
    WORD=ended
  elif [[ $state == lost ]]; then
    reason=Rebooted
  fi
  write_result "$dir" "$state" '' "$reason"
  (($? < 2)) || WORD=failed
  ring "$PWD/$dir"
}
