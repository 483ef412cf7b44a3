# shellcheck shell=bash disable=SC2034,SC2154
# Lives as long as its run does: starts the worker, watches it, ends what it leaves behind, writes the result.
# `supervise DIR` is the supervisor, `work DIR PID TICKS` turns into the worker, `reap DIR STATE REASON` is for a run
# whose supervisor is gone. Descriptor 9 holds the run's lock; 5 and 7 are the worker's output, 6 leads to the watchdog, 8 to the stage.

PENDING='' READY=0 WORKING=0 WORKER='' DRAINS=()

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
  exec 5>&- 6>&- 7>&- 8>&- 9>&-
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

# Counts the time. Its standard input is a line to the supervisor, so it ends when that ends.
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

# Waits for the stage to say that it turns into the worker now. `wait` is no help before: bash can lose the status of
# a child that ends while another signal comes in, so signals that do not end the run are not used at all.
await_worker() {
  local word
  while :; do
    IFS= read -r -t 0.25 -u 8 word
    case $? in
      0)
        [[ $word == work ]] || return
        WORKING=1
        printf 'work\n' >&6
        ln -sfn work phase
        ring "$RUN_DIR"
        return
        ;;
      1) return ;;
    esac
    # What the prelude left running may hold the stage's end of the line.
    identify "$WORKER" || return
  done
}

supervise() {
  local started
  # A caught signal is given back to children as it was; an ignored one would not be.
  trap 'stop cancel' TERM
  trap 'stop Timeout' USR2
  trap 'stop IdleTimeout' VTALRM
  trap : PIPE HUP INT
  open_run "$1"
  exec 2>>supervisor.log
  identify "$$" || exit 70
  started=$TICKS
  if ! record . started "p=$$;s=$started;b=$BOOT"; then
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
  exec 7>/dev/fd/4 8<> <(:)
  exec 4>/dev/fd/8 8</dev/fd/8
  # The child keeps the lock until it carries the mark: a free lock means that all there is can be found.
  RECONCILER_MARK=$MARK RECONCILER_RUN_DIR=$RUN_DIR \
    setsid "$BASH" --noprofile --norc -p supervisor.sh work "$RUN_DIR" "$$" "$started" >&5 2>&7 5>&- 6>&- 7>&- 8>&- &
  WORKER=$!
  exec 4>&- 5>&- 7>&-
  identify "$WORKER" && FOUND[$WORKER]=$TICKS
  READY=1
  [[ -z $PENDING ]] || conclude "$PENDING"
  await_worker
  wait "$WORKER"
  CODE=$?
  # A second word: it could not turn into the worker after all.
  IFS= read -r -t 0.1 -u 8 && WORKING=0
  conclude ended
}

# The worker is over, or has to be: clears up, judges, writes the result.
conclude() {
  local how=$1 state=failed reason='' code='' waited=0 pid
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
  if [[ $how == cancel && -L cancel ]]; then
    state=canceled
  elif [[ $how == cancel ]]; then
    # Nobody asked for this TERM by a record: the machine goes down, or a person did it.
    state=lost reason=SupervisorGone
  elif ((!WORKING)); then
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
    *) [[ $(<supervisor.log) == *"PrepareFailed: "* ]] || say "PrepareFailed: the shell prelude ended the shell with exit code ${CODE:-?}" ;;
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
  printf 'failed\n' >&4
  exit 126
} 2>/dev/null

# Everything the worker needs is read before the prelude runs; the secrets' file is gone before it, too.
reconciler_prepare() {
  local root
  open_run "$1"
  reconciler_supervisor=$2 reconciler_ticks=$3
  reconciler_environment=()
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
  identify "$reconciler_supervisor" && [[ $TICKS == "$reconciler_ticks" ]] || exit 75
  shopt -s execfail
  printf 'work\n' >&4
  # shellcheck disable=SC2093
  exec "${reconciler_command[@]}" 4>&-
  reconciler_fail "${reconciler_command[0]} cannot be started"
}

case ${1-} in
  supervise) supervise "$2" ;;
  reap) reap "$2" "$3" "$4" ;;
  work)
    exec 9>&-
    reconciler_prepare "$2" "$3" "$4"
    # shellcheck disable=SC1091
    if . "$RECONCILER_RUN_DIR/prelude.sh" >>"$RECONCILER_RUN_DIR/supervisor.log" 2>&1 4>&-; then
      reconciler_work
    else
      reconciler_fail "the shell prelude ended with exit code $?"
    fi
    ;;
esac
exit
