# shellcheck shell=bash disable=SC2034,SC2154
# Lives as long as its run does: starts the worker, watches it, ends what it leaves behind, writes the result.
# `supervise DIR` is the supervisor, `work DIR` turns into the worker, `reap DIR STATE REASON` is for a run
# whose supervisor is gone. Descriptor 9 holds the run's lock; 5 and 7 are the worker's output, 6 leads to the watchdog.
#
# Two things that bash does shape this file: `wait` can lose the status of a child that ends while a caught signal comes
# in, so only signals that end the run are used; and a trap must not interrupt `read -t`, whose time limit would then cut
# off the trap's own reads, so the supervisor only ever waits.

PENDING='' READY=0 WORKER='' DRAINS=()

say() {
  printf '%s\n' "$*" >>"$RUN_DIR/supervisor.log"
} 2>/dev/null

open_run() {
  RUN_DIR=$1 RUN=${1##*/}
  cd -- "$RUN_DIR" || exit 70
  read_settings .
  MARK="$RUN;${SETTING[mark]}"
}

# Keeps one stream of the worker: never blocks it, never breaks its pipe, whatever becomes of the disk.
drain() {
  exec 5>&- 6>&- 7>&- 9>&-
  local kept=$2 cut text
  (ulimit -S -f "$kept" && trap '' XFSZ && exec cat >>"$1") 2>/dev/null && return
  cut=$(wc -c)
  text="${NL}[reconciler: the log ends here at its limit of $kept KiB; over $cut more bytes were not kept]"
  [[ $(stat -c %s -- "$1") -ge $((kept * 1024)) ]] ||
    text="${NL}[reconciler: the disk was full here; over $cut more bytes were not kept]"
  { printf '%s\n' "$text" >>"$1" || { rm -f reserve && printf '%s\n' "$text" >>"$1"; }; } 2>/dev/null
}

# Sets BYTES and SPENT_ALL: how far the worker has come.
measure() {
  local pid
  BYTES=$(exec stat -c %s -- stdout.log stderr.log)
  SPENT_ALL=0
  SESSION=
  scan
  for pid in "${LIVING[@]}"; do
    identify "$pid" && ((SPENT_ALL += SPENT))
  done
  return 0
}

# Counts the time. Its standard input is a line from the supervisor, so it ends when that ends; the stage says on it when
# the worker starts.
watchdog() {
  exec 5>&- 7>&- 9>&-
  local limit=$((100 * ${SETTING[prepare_timeout]:-1800})) idle=0 start busy bytes='' spent=0 left pause word
  uptime
  start=$NOW busy=$NOW
  while :; do
    left=6000
    ((limit && limit - (NOW - start) < left)) && left=$((limit - (NOW - start)))
    ((idle && idle / 4 < left)) && left=$((idle / 4))
    ((left > 0)) || left=1
    printf -v pause '%d.%02d' $((left / 100)) $((left % 100))
    if IFS= read -r -t "$pause" word; then
      uptime
      start=$NOW busy=$NOW limit=$((100 * ${SETTING[timeout]:-0})) idle=$((100 * ${SETTING[idle_timeout]:-0}))
      ((idle)) && measure && bytes=$BYTES spent=$SPENT_ALL
      continue
    elif (($? <= 128)); then
      exit
    fi
    uptime
    identify "$$" && [[ $TICKS == "$STARTED" ]] || exit
    ((limit && NOW - start >= limit)) && kill -s USR2 "$$" && exit
    ((idle)) || continue
    measure
    # One tick a second is one percent of a core.
    if [[ $BYTES != "$bytes" ]] || ((SPENT_ALL - spent > (NOW - busy) / 100 + 1)); then
      busy=$NOW bytes=$BYTES spent=$SPENT_ALL
    elif ((NOW - busy >= idle)); then
      kill -s VTALRM "$$" && exit
    fi
  done
}

# A signal that ends the run: before there is something to wait for, it is only remembered.
stop() {
  PENDING=$1
  if ((READY)); then conclude "$1"; fi
}

supervise() {
  trap 'stop cancel' TERM
  trap 'stop Timeout' USR2
  trap 'stop IdleTimeout' VTALRM
  open_run "$1"
  exec 2>>supervisor.log
  unset -v RECONCILER_SUPERVISOR
  count_forks && FIRST=$$ FORKS_BEFORE=$FORKS
  identify "$$" || exit 70
  STARTED=$TICKS
  if ! record . started "p=$$;s=$STARTED;b=$BOOT"; then
    drop_secrets
    exit 76
  fi
  ring "$RUN_DIR"
  exec 6> >(watchdog)
  exec 4<> <(:)
  drain stdout.log "${SETTING[log_limit]:-51200}" </dev/fd/4 4>&- &
  DRAINS+=("$!")
  exec 5>/dev/fd/4 4<> <(:)
  drain stderr.log "${SETTING[log_limit]:-51200}" </dev/fd/4 4>&- &
  DRAINS+=("$!")
  exec 7>/dev/fd/4 4>&-
  # The child keeps the lock until it carries the mark: a free lock means that all there is can be found.
  RECONCILER_MARK=$MARK RECONCILER_RUN_DIR=$RUN_DIR \
    setsid "$BASH" --noprofile --norc -p supervisor.sh work "$RUN_DIR" >&5 2>&7 5>&- 7>&- &
  WORKER=$!
  exec 5>&- 7>&-
  identify "$WORKER" && FOUND[$WORKER]=$TICKS
  READY=1
  [[ -z $PENDING ]] || conclude "$PENDING"
  wait "$WORKER"
  CODE=$?
  conclude ended
}

# The worker is over, or has to be: clears up, judges, writes the result.
conclude() {
  local how=$1 state=failed reason='' code='' waited=0 pid phase
  trap : TERM USR2 VTALRM
  exec 6>&-
  SESSION=$WORKER
  end_all "${SETTING[grace]:-10}"
  case $? in
    1) record . stuck "n=${#LIVING[@]}" && say "stuck: ${LIVING[*]} survived KILL" ;;
    2) record . stuck n=- && say 'stuck: the scan for what is left could not find itself' ;;
  esac
  while ((waited++ < 100)); do
    for pid in "${DRAINS[@]}"; do [[ -e /proc/$pid ]] && sleep 0.05 && continue 2; done
    break
  done
  keep_answer
  # `work` is there and a directory, so a link to it needs no reading.
  [[ -d phase ]] || phase=$(readlink phase)
  # It may have failed to turn into the worker in the last moment.
  [[ ${CODE-} == 126 && $(<supervisor.log) == *'PrepareFailed: '* ]] && phase=prepare
  if [[ $how == cancel && -L cancel ]]; then
    state=canceled
  elif [[ $how == cancel ]]; then
    # Nobody asked for this TERM by a record: the machine goes down, or a person did it.
    state=lost reason=SupervisorGone
  elif [[ $phase == prepare ]]; then
    reason=PrepareFailed
    prepare_failed "$how"
  elif [[ $how != ended ]]; then
    reason=$how
  else
    code=$CODE
    if [[ -f work/BLOCKED.md && ! -L work/BLOCKED.md ]]; then
      state=blocked
    elif ((CODE == 0)); then
      state=succeeded
    elif ((CODE > 128 && CODE <= 192)); then
      reason=Signal
    else
      reason=ExitCode
    fi
  fi
  write_result . "$state" "$code" "$reason"
  ring "$RUN_DIR"
  exit 0
}

# What the worker has to say; odd kinds of files are not read.
keep_answer() {
  if [[ -f result.json && ! -L result.json ]]; then
    if (($(stat -c %s result.json) <= 1048576)); then
      mv -fT result.json answer.json
    else
      head -c 1048576 <result.json >answer.json || rm -f answer.json
    fi
  fi
  if [[ -f work/BLOCKED.md && ! -L work/BLOCKED.md ]]; then
    head -c 65536 <work/BLOCKED.md >blocked.md
  fi
} 2>/dev/null

prepare_failed() {
  case $1 in
    Timeout) say "PrepareFailed: preparing took longer than ${SETTING[prepare_timeout]:-1800} seconds" ;;
    *) [[ $(<supervisor.log) == *'PrepareFailed: '* ]] || say "PrepareFailed: the shell prelude ended the shell with exit code ${CODE:-?}" ;;
  esac
}

# The end of a run that has no supervisor any more; the lock was handed over.
reap() {
  open_run "$1"
  exec 2>>supervisor.log
  end_all "${SETTING[grace]:-10}"
  case $? in
    1) record . stuck "n=${#LIVING[@]}" ;;
    2) record . stuck n=- ;;
  esac
  write_result . "$2" '' "$3"
  ring "$RUN_DIR"
}

# From here on: the stage that becomes the worker. What the prelude could clash with is named reconciler_….

# Fields as in a payload, from a file, into reconciler_environment.
reconciler_fields() {
  local text='' line at=0 size
  [[ -f $1 ]] || return 0
  IFS= read -r -d '' text <"$1"
  while ((at < ${#text})); do
    line=${text:at:300}
    line=${line%%"$NL"*}
    [[ $line =~ ^([A-Za-z_][A-Za-z0-9_]*)\ ([0-9]+)$ ]] || return 1
    size=$((10#${BASH_REMATCH[2]}))
    [[ ${BASH_REMATCH[1]} == RECONCILER_* ]] ||
      reconciler_environment+=("${BASH_REMATCH[1]}=${text:at+${#line}+1:size}")
    ((at += ${#line} + size + 2))
  done
}

reconciler_fail() {
  printf 'PrepareFailed: %s\n' "$1" >>"$RECONCILER_RUN_DIR/supervisor.log"
  exit 126
} 2>/dev/null

# Everything the worker needs is read before the prelude runs; the secrets' file is gone before it, too.
reconciler_prepare() {
  local root
  open_run "$1"
  reconciler_environment=() reconciler_env=${SETTING[env]-}
  reconciler_fields environment && reconciler_fields "${SETTING[secrets]:-/dev/null}" ||
    reconciler_fail 'the environment that was sent cannot be read'
  drop_secrets
  root=${RUN_DIR%/*/*/*}
  export CI=true NO_COLOR=1 TERM=dumb
  export RECONCILER_FLEET=${SETTING[fleet]-} RECONCILER_TASK=${SETTING[task]-} RECONCILER_RUN=$RUN
  export RECONCILER_WORKTREE=$RUN_DIR/work RECONCILER_RUN_DIR=$RUN_DIR RECONCILER_MARK=$MARK
  export RECONCILER_RESULT_FILE=$RUN_DIR/result.json RECONCILER_CACHE_DIR=$root/_/cache
  [[ -d $RECONCILER_CACHE_DIR ]] || mkdir -p -- "$RECONCILER_CACHE_DIR" 2>/dev/null
  cd work || reconciler_fail "the worker's directory is gone"
  unset -v OLDPWD LC_ALL
  [[ -z ${SETTING[lc_all]-} ]] || export LC_ALL=${SETTING[lc_all]}
  umask "${SETTING[umask]:-022}"
}

# Sets reconciler_command: bash, or what the first line of the script names, as the kernel would read it.
reconciler_interpreter() {
  local line='' program argument script=$RECONCILER_RUN_DIR/worker.sh
  IFS= read -r line <"$script"
  if [[ $line != '#!'* ]]; then
    hash -- bash 2>/dev/null || reconciler_fail 'bash is not on the PATH that the worker gets'
    reconciler_command=(bash -eo pipefail -- "$script")
    return
  fi
  read -r program argument <<<"${line:2}"
  argument=${argument%$'\r'} program=${program%$'\r'}
  [[ -f $program && -x $program ]] || reconciler_fail "the interpreter $program is not there"
  if [[ ${program##*/} == env && $argument =~ ^[A-Za-z0-9._+-]+$ && $argument != -* ]]; then
    hash -- "$argument" 2>/dev/null || reconciler_fail "the interpreter $argument is not on the PATH"
  fi
  reconciler_command=("$program" ${argument:+"$argument"} "$script")
}

reconciler_work() {
  local reconciler_entry
  IFS=$' \t\n'
  set +eu
  trap - EXIT
  builtin cd -- "$RECONCILER_WORKTREE" || reconciler_fail "the worker's directory is gone"
  unset -v OLDPWD
  for reconciler_entry in "${reconciler_environment[@]}"; do
    export -- "${reconciler_entry?}" 2>>"$RECONCILER_RUN_DIR/supervisor.log"
  done
  reconciler_interpreter
  shopt -s execfail
  # Nobody reads this when the supervisor is gone: then the signal for a broken pipe is the end.
  printf 'work\n' >&6
  # Without a free inode there is no new record in the place of the old one: none at all says the same.
  ln -sfn work "$RECONCILER_RUN_DIR/phase" 2>/dev/null || rm -f -- "$RECONCILER_RUN_DIR/phase"
  { printf '%s\n' "$RECONCILER_RUN" >>"${RECONCILER_RUN_DIR%/*/*}/bell"; } 2>/dev/null
  # bash has let go of INT and QUIT for what it starts in the background; a worker shall get them as after a login.
  [[ $reconciler_env == 1 ]] && reconciler_command=(env "--default-signal=INT,QUIT" -- "${reconciler_command[@]}")
  # shellcheck disable=SC2093
  exec "${reconciler_command[@]}" 6>&-
  reconciler_fail "${reconciler_command[0]} cannot be started"
}

case ${1-} in
  supervise) supervise "$2" ;;
  reap) reap "$2" "$3" "$4" ;;
  work)
    exec 9>&-
    reconciler_prepare "$2"
    # shellcheck disable=SC1091
    if . "$RECONCILER_RUN_DIR/prelude.sh" >>"$RECONCILER_RUN_DIR/supervisor.log" 2>&1 6>&-; then
      reconciler_work
    else
      reconciler_fail "the shell prelude ended with exit code $?"
    fi
    ;;
esac
exit
