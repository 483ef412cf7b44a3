# shellcheck shell=bash disable=SC2034,SC2154
# Takes ended runs away; what stays is the mark that they are done.

# Puts the run's mark into done/: STATE, REASON, rerun key, time, last.
mark_done() {
  local text
  text=";${R[result]-}"
  [[ ${R[started]-} == void && -z ${R[result]-} ]] && printf -v text ';state=void;t=%(%s)T' -1
  local mark='' part owner=";${R[owner]-}"
  for part in state r; do
    [[ $text =~ \;$part=([^\;]*) ]] && mark+=";$part=${BASH_REMATCH[1]}"
  done
  [[ $owner =~ \;q=([^\;]*) ]] && mark+=";q=${BASH_REMATCH[1]}"
  for part in t last; do
    [[ $text =~ \;$part=([^\;]*) ]] && mark+=";$part=${BASH_REMATCH[1]}"
  done
  [[ -L _/done/$1 ]] || ln -sT -- "${mark#;}" "_/done/$1" 2>/dev/null
}

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
    if ! { mark_of "$dir" && scan; } || ((${#LIVING[@]})); then
      reply 'active processes of it survived KILL'
      return
    fi
  fi
  read_settings "$dir"
  drop_secrets
  if ! mark_done "$run"; then
    reply 'failed its completion mark cannot be written'
  elif ! WHY=$(mv -T -- "$dir" "_/trash/$run.$NONCE" 2>&1); then
    reply "failed ${WHY//$NL/ }"
  else
    reply 'removed its completion mark stays'
  fi
}

# Empties the trash, without the lock. What takes longer than 3 seconds goes on behind the caller's back.
empty_trash() {
  local -a trash=(_/trash/*)
  local remover tick
  ((${#trash[@]})) || return 0
  # shellcheck disable=SC2016
  detach -c 'rm -rf -- "$@" || { chmod -R u+rwX -- "$@"; rm -rf -- "$@"; }' trash "${trash[@]/#/$PWD/}" &
  remover=$!
  for ((tick = 0; tick < 150; tick++)); do
    [[ -e /proc/$remover ]] || return 0
    sleep 0.02
  done
}
