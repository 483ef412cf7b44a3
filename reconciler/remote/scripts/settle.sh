# shellcheck shell=bash disable=SC2034,SC2154
# Runs whose supervisor is gone get their end.

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
  elif [[ -z ${R[started]-} ]] && ! is_wiped "$dir"; then
    void "$dir" && reply 'void it was never started, and can never be' || reply 'failed the record cannot be written'
  else
    end_orphan "$dir" lost SupervisorGone
    case $WORD in
      ended) reply 'lost it ended without saying how' ;;
      ending) reply "settling ${#LIVING[@]} processes of it are being ended" ;;
      failed) reply 'failed the record cannot be written: see the disk and its inodes' ;;
      unknown) reply 'unknown the scan for its processes could not find itself' ;;
    esac
  fi
  release_lock
}
