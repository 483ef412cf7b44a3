# shellcheck shell=bash disable=SC2034,SC2154
# Stops runs: the supervisor does it, or, where there is none, we do.

cancel() {
  local dir=$1 again=' again' why=${GIVEN[why]-}
  why=${why//[!A-Za-z0-9._-]/-} why=${why:0:50}
  [[ -d $dir ]] || { reply 'absent there is no such run'; return; }
  read_records "$dir"
  if [[ -n ${R[result]-} || ${R[started]-} == void ]]; then
    reply "already ${R[result]:-void}"
    return
  fi
  # A cancel that cannot be recorded is carried out all the same.
  record "$dir" cancel "why=${why:-asked}" && again=
  if own_lock "$dir"; then
    read_records "$dir"
    if [[ -n ${R[result]-} ]]; then
      reply "already ${R[result]}"
    elif [[ -z ${R[started]-} ]] && ! is_wiped "$dir"; then
      void "$dir" && reply 'void it was never started, and can never be' || reply 'failed the record cannot be written'
    else
      end_orphan "$dir" canceled ''
      case $WORD in
        ended) reply 'canceled nothing of it lived' ;;
        ending) reply "canceling ${#LIVING[@]} processes of it are being ended" ;;
        failed) reply 'failed the record cannot be written: see the disk and its inodes' ;;
        unknown) reply 'unknown the scan for its processes could not find itself' ;;
      esac
    fi
    release_lock
    return
  fi
  # A supervisor that has not written its record yet finds this one, and ends.
  if [[ -z ${R[started]-} ]] && void "$dir"; then
    reply 'void it had not started yet, and can never start'
    return
  fi
  read_records "$dir"
  # What a worker has made of the record may name a stranger.
  if lives "${R[started]-}" && carries "$PID" "RECONCILER_SUPERVISOR=${dir##*/}" && kill -s TERM -- "$PID"; then
    reply "canceling its supervisor was told$again"
  else
    reply 'canceling what is left of it is being ended'
  fi
}
