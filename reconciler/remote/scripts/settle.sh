# shellcheck shell=bash disable=SC2034,SC2154
# Runs whose supervisor is gone get their end.

declare -A R=()

# Sets R to the records of a run directory.
read_records() {
  local line
  R=()
  while IFS= read -r line; do
    R[${line%%=*}]=${line#*=}
  done < <(find "$1" -mindepth 1 -maxdepth 1 -type l -regextype posix-extended \
    -regex '.*/(owner|started|phase|cancel|result|stuck)' -printf '%f=%l\n')
}

# Takes the run's lock on descriptor 9; fails when somebody holds it. Those who only look hold it for a moment.
own_lock() {
  lock_state "$1"
  [[ $LOCK == free ]] || return 1
  # Where no lock can be made there never was one, and launching waits for this call.
  { exec 9<>"$1/lock"; } 2>/dev/null || return 0
  flock -w 5 9 || { release_lock && return 1; }
}

release_lock() {
  { exec 9>&-; } 2>/dev/null
}

# Starts a program of the run's own, in a session of its own, with no descriptor but the lock.
# To be called with `&`: it replaces the process it runs in.
detach() {
  local descriptor
  for descriptor in /proc/self/fd/*; do
    descriptor=${descriptor##*/}
    ((descriptor == 9)) || exec {descriptor}>&-
  done
  exec </dev/null >/dev/null 2>/dev/null
  exec setsid "$BASH" --noprofile --norc -p "$@"
}

# Sets MARK of a run directory from its records.
mark_of() {
  [[ ";${R[owner]-}" =~ \;m=([A-Za-z0-9]+) ]] || return 1
  MARK="${1##*/};${BASH_REMATCH[1]}"
}

# Ends a started run without a supervisor, whose lock is ours. WORD: ended, ending (a reaper is at it), unknown.
end_orphan() {
  local dir=$1 state=$2 reason=$3
  WORD=ended
  if [[ ${R[started]} == *";b=$BOOT" ]]; then
    WORD=unknown
    FOUND=() SESSION=
    mark_of "$dir" && scan || return 0
    if ((${#LIVING[@]})); then
      WORD=ending
      [[ -s $dir/supervisor.sh ]] || printf '%s' "$SUPERVISOR" >"$dir/supervisor.sh"
      detach "$PWD/$dir/supervisor.sh" reap "$PWD/$dir" "$state" "$reason" &
      return
    fi
    WORD=ended
  elif [[ $state == lost ]]; then
    reason=Rebooted
  fi
  write_result "$dir" "$state" '' "$reason"
  ring "$PWD/$dir"
}

settle() {
  local dir=$1
  [[ -d $dir ]] || { reply 'absent there is no such run'; return; }
  read_records "$dir"
  if [[ -n ${R[result]-} || ${R[started]-} == void ]]; then
    reply "already ${R[result]:-void}"
    return
  fi
  own_lock "$dir" || { reply 'alive its supervisor holds the lock'; return; }
  read_records "$dir"
  if [[ -n ${R[result]-} ]]; then
    reply "already ${R[result]}"
  elif [[ -z ${R[started]-} ]]; then
    void "$dir" && reply 'void it was never started, and can never be' || reply 'failed the record cannot be written'
  else
    end_orphan "$dir" lost SupervisorGone
    case $WORD in
      ended) reply 'lost it ended without saying how' ;;
      ending) reply "settling ${#LIVING[@]} processes of it are being ended" ;;
      unknown) reply 'unknown the scan for its processes could not find itself' ;;
    esac
  fi
  release_lock
}

# From now on this run can never start. What it was sent is removed.
void() {
  record "$1" started void || [[ $(readlink -- "$1/started") == void ]] || return 1
  read_settings "$1"
  drop_secrets
  rm -f -- "$1/reserve" "$1/environment" "$1/prelude.sh" "$1/supervisor.sh"
  return 0
}
