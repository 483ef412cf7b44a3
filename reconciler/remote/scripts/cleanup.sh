# shellcheck shell=bash disable=SC2034,SC2154
# Takes ended runs away; what stays is the mark that they are done.

cleanup() {
  local dir=$1 run=${1##*/}
  if [[ ! -d $dir ]]; then
    reply 'already it is not there'
    return
  fi
  read_records "$dir"
  lock_state "$dir"
  if [[ -z ${R[result]-} && ${R[started]-} != void ]]; then
    reply 'active it has not ended'
    return
  fi
  # A supervisor that has just written its result is about to let go.
  [[ $LOCK == held ]] && sleep 0.2 && lock_state "$dir"
  if [[ $LOCK == held ]]; then
    reply 'active its lock is held'
    return
  fi
  if [[ -n ${R[stuck]-} ]]; then
    FOUND=() SESSION=
    mark_of "$dir"
    if ! scan || ((${#LIVING[@]})); then
      reply 'active processes of it survived KILL'
      return
    fi
  fi
  read_settings "$dir"
  drop_secrets
  if ! mark_done "$run" "${GIVEN[state]-}" "${GIVEN[reason]-}"; then
    reply 'failed its completion mark cannot be written'
  elif ! WHY=$(mv -T -- "$dir" "_/trash/$run.$NONCE" 2>&1); then
    reply "failed ${WHY//$NL/ }"
  else
    reply 'removed its completion mark stays'
  fi
}
