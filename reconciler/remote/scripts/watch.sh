# shellcheck shell=bash disable=SC2034,SC2154
# What runs beside a stage: the drains of its output, and the watchdog. The supervisor carries this file.

# Keeps one stream of the worker: never blocks it, never breaks its pipe, whatever becomes of the disk.
drain() {
  exec 5>&- 6>&- 7>&- 9>&-
  local kept=$2 cut text
  (ulimit -S -f "$kept" && trap '' XFSZ && exec cat >>"$1") 2>/dev/null && return
  cut=$(wc -c)
  text="${NL}[reconciler: the log ends here at its limit of $kept KiB; over $cut more bytes were not kept]"
  [[ $(stat -c %s -- "$1") -ge $((kept * 1024)) ]] ||
    text="${NL}[reconciler: the disk was full here; over $cut more bytes were not kept]"
  [[ -f $1 && ! -L $1 ]] || return
  { printf '%s\n' "$text" >>"$1" || { rm -f reserve && printf '%s\n' "$text" >>"$1"; }; } 2>/dev/null
}

# Sets BYTES and SPENT_ALL: how far the worker has come.
measure() {
  local pid
  BYTES=$(exec stat -c %s -- "$OUT" stderr.log)
  SPENT_ALL=0
  SESSION=
  scan
  for pid in "${LIVING[@]}"; do
    identify "$pid" && ((SPENT_ALL += SPENT))
  done
  return 0
}

# Counts the time, with a limit of $1 seconds. Its standard input is a line from the supervisor, so it ends when that
# ends; the stage says on it when the worker starts.
watchdog() {
  exec 5>&- 7>&- 9>&-
  local limit=$((100 * $1)) idle=0 start busy bytes='' spent=0 left pause word
  uptime
  start=$NOW busy=$NOW
  while :; do
    left=500
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
    # Who asked for a cancel may have died before it could tell; who has lost its records will never be asked.
    [[ ! -L cancel && -f $RUN_DIR/lock ]] || kill -s TERM "$$"
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
