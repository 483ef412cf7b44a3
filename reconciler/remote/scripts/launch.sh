# shellcheck shell=bash disable=SC2034,SC2154
# Starts runs: at most once each, whoever asks, however often.

launch() {
  local dir=$1 run=${1##*/} place=${1%%/*} prefix
  prefix=${run%-*}-
  WHY=
  if ! check_worker "$place" "${run%-*-*}" || { [[ $place != _ ]] && ! make_place "$place"; }; then
    reply "failed ${WHY:-the folder of the project cannot be made: see the disk and its inodes}"
    return
  fi
  if ! WHY=$(exec mkdir -- "$dir" 2>&1); then
    [[ -e $dir || -L $dir ]] && reply 'taken this run was claimed before' || reply "failed ${WHY//$NL/ }"
    return
  fi
  if [[ -L _/done/$run ]]; then
    rmdir -- "$dir"
    reply 'done this run has ended and was cleaned up'
    return
  fi
  if newer "$prefix" "${run##*-}"; then
    rmdir -- "$dir"
    reply "stale $NEWER is there already"
    return
  fi
  if [[ ! ${GIVEN[mark]-} =~ ^[A-Za-z0-9]{8,20}$ || ! ${GIVEN[rerun_key]-} =~ ^[A-Za-z0-9-]{1,8}$ ]]; then
    rmdir -- "$dir"
    reply 'failed the launch lacks a mark or a rerun key'
  elif ! record "$dir" owner "l=${FIELD[ledger]};n=${FIELD[number]};q=${GIVEN[rerun_key]};m=${GIVEN[mark]}" ||
    ! { [[ -z ${GIVEN[worker]-} ]] || record "$dir" worker "${GIVEN[worker]}"; }; then
    rm -f -- "$dir"/{owner,worker}
    rmdir -- "$dir"
    reply 'failed no record can be written: see the disk and its inodes'
  elif ! fill "$dir"; then
    void "$dir"
    release_lock
    reply "failed ${WHY:-the run directory cannot be written: see the disk and its inodes}"
  else
    detach "$PWD/$dir/supervisor.sh" supervise "$PWD/$dir" &
    release_lock
    reply 'accepted its supervisor was started'
  fi
}

# Is an attempt with this number or a higher one there already? Sets NEWER.
newer() {
  local other
  for other in */runs/"$1"* _/done/"$1"*; do
    [[ $other != "$dir" ]] || continue
    NEWER=${other##*/}
    other=${NEWER#"$1"}
    [[ $other =~ ^[0-9]{1,9}$ ]] || continue
    ((10#$other >= 10#$2)) && return
  done
  return 1
}

# Who works, and where: an agent in a worktree of its project, or nobody but a script. Else WHY.
check_worker() {
  local line project='' tree=''
  [[ $1 != _ || -n ${GIVEN[worker]-} ]] || return 0
  while IFS= read -r line; do
    case $line in
      project=*) project=${line#*=} ;;
      worktree=*) tree=${line#*=} ;;
    esac
  done <<<"${GIVEN[settings]-}"
  if [[ ! ${GIVEN[worker]-} =~ ^a=($LABEL)\;w=([0-9a-f]{8}-[1-9][0-9]{0,8})$ ]]; then
    WHY='the launch does not say which agent works'
  elif [[ $project != "$1" || $tree != "$2-${BASH_REMATCH[3]}" ]]; then
    WHY='the launch does not say in which worktree of its project it works'
  elif [[ -z ${FIELD[project_script]-} ]]; then
    WHY='the launch carries no project_script'
  fi
  [[ -z $WHY ]]
}

# The folders of a project.
make_place() {
  [[ -d $1/runs && -d $1/worktrees && -d $1/cache ]] || mkdir -p -- "$1"/{runs,worktrees,cache} 2>/dev/null
}

# Everything the supervisor will write to is made now, so that a full disk shows before the start.
fill() {
  local dir=$1 key settings out=stdout.log
  WHY=
  settings="${GIVEN[settings]%"$NL"}${NL}umask=$login_umask${NL}lc_all=$login_locale$NL"
  can_reset_signals && settings+="env=1$NL"
  if [[ -n ${GIVEN[secrets]-} ]]; then
    secrets_place "$dir" || return
    settings+="secrets=$SECRETS_FILE$NL"
  fi
  write "$dir/settings" "$settings" && write "$dir/environment" "${GIVEN[environment]-}" &&
    write "$dir/prelude.sh" "${FIELD[prelude]-}" && write "$dir/supervisor.sh" "$SUPERVISOR" || return
  if [[ -n ${GIVEN[secrets]-} ]]; then
    (set -C && write "$SECRETS_FILE" "${GIVEN[secrets]}") || return
  fi
  for key in "${!GIVEN[@]}"; do
    [[ $key == file.* ]] || continue
    case ${key#file.} in
      run.json | worker.sh | command | prompt.md | result-schema.json | setup.sh | qa) write "$dir/${key#file.}" "${GIVEN[$key]}" || return ;;
      *) WHY="the launch carries a file of an unknown name: $key" && return 1 ;;
    esac
  done
  [[ -f $dir/worker.sh || -f $dir/command ]] || { WHY='the launch carries no worker.sh and no command' && return 1; }
  if [[ $dir == _/* ]]; then
    mkdir "$dir/work" 2>/dev/null || return
  else
    write "$dir/project.sh" "${FIELD[project_script]}" || return
  fi
  if [[ $NL$settings =~ $NL(qa=[a-z]+)$NL ]]; then
    [[ -n ${FIELD[qa_script]-} ]] || { WHY='the launch carries no qa_script' && return 1; }
    write "$dir/qa.sh" "${FIELD[qa_script]}" || return
  fi
  [[ $NL$settings == *"${NL}events=1$NL"* ]] && out=events.jsonl
  ln -sT prepare "$dir/phase" 2>/dev/null || return
  printf -v key '%65536s' ''
  write "$dir/reserve" "$key" && : >"$dir/$out" && : >"$dir/stderr.log" && : >"$dir/supervisor.log" || return
  { exec 9<>"$dir/lock"; } 2>/dev/null && flock -w 5 9
}

# Does this host's env know the option? Asked once in a call.
can_reset_signals() {
  if [[ -z ${RESETS+set} ]]; then
    env --default-signal=INT true 2>/dev/null
    RESETS=$?
  fi
  return "$RESETS"
}

write() {
  printf '%s' "$2" >"$1"
} 2>/dev/null

# Secrets are kept in memory where the host has a place for that.
secrets_place() {
  local place kind free inodes
  if [[ -z ${SECRETS_DIRECTORY+set} ]]; then
    SECRETS_DIRECTORY=
    for place in "${XDG_RUNTIME_DIR-}" /dev/shm; do
      [[ $place == /* && -d $place && -w $place ]] || continue
      read -r kind free inodes < <(exec stat -f -c '%T %a %d' -- "$place")
      # A worker may have filled it; ramfs says nothing of its room.
      [[ $kind == ramfs || ($kind == tmpfs && $free -gt 256 && $inodes -gt 16) ]] || continue
      SECRETS_DIRECTORY=$place
      break
    done
  fi
  SECRETS_FILE=${SECRETS_DIRECTORY:-$PWD/$1}/reconciler-${GIVEN[mark]}.secrets
}
