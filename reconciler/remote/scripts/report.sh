# shellcheck shell=bash disable=SC2034,SC2154
# What a host says of itself and of its runs. It writes nothing, takes no lock, and forks as little as it can.

# Turns into find: to be called in a subshell.
list_records() {
  exec find "$@" -maxdepth 2 -ignore_readdir_race -regextype posix-extended \( \
    -regex '_/(fleet|id|name|lease|revision)' -type l -printf '%f=%l\n' -o \
    -path _/bell -type f -printf '%f=%s\n' -o \
    -regex '[a-z0-9-]+/worktrees/[a-z0-9-]+' -type d -prune -printf 'd\t%p\t0\t%T@\t\n' -o \
    -regex '(_/done/[a-z0-9-]+|[_a-z0-9-]+/runs/[a-z0-9-]+/(owner|worker|started|phase|cancel|result|stuck))' -type l \( \
    -lname '*[!A-Za-z0-9=;._-]*' -printf 'l\t%p\t0\t%T@\t?\n' -o -printf 'l\t%p\t%s\t%T@\t%l\n' \) -o \
    -regex '[_a-z0-9-]+/runs/[a-z0-9-]+' -type d -printf 'd\t%p\t0\t%T@\t\n' -o \
    -regex '[_a-z0-9-]+/runs/[a-z0-9-]+/(std(out|err)\.log|events\.jsonl)' -type f -printf 'f\t%p\t%s\t%T@\t\n' \)
}

# Whose the workspace is, and every record in it: one process reads them all.
report_records() {
  local -a places=()
  local name text line
  local -A mark=([fleet]='' [id]='' [name]='' [lease]='' [revision]='' [bell]=0)
  for name in fleet id name lease revision bell; do
    [[ -e _/$name || -L _/$name ]] && places+=("_/$name")
  done
  [[ -d _/done ]] && places+=(_/done)
  for name in "${PLACES[@]}"; do
    places+=("$name/runs")
    [[ $name != _ && -d $name/worktrees && ! -L $name/worktrees ]] && places+=("$name/worktrees")
  done
  text=
  if ((${#places[@]})); then
    # What is moved away in the background while find looks at it makes it fail, whatever option is given: it looks again.
    text=$(list_records "${places[@]}" 2>/dev/null) || text=$(list_records "${places[@]}" 2>/dev/null) ||
      text=$(list_records "${places[@]}") ||
      refuse "the workspace $ROOT cannot be read in full: see who owns what is in it"
  fi
  for name in "${!mark[@]}"; do
    line=${text%%"$NL"*}
    [[ $line =~ ^([a-z]+)=(.*)$ ]] || break
    mark[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
    text=${text:${#line}+1}
  done
  holder
  frame workspace "fleet=${mark[fleet]}
id=${mark[id]}
name=${mark[name]}
lease=${mark[lease]}
revision=${mark[revision]}
holder=$HOLDER
now=${EPOCHREALTIME:-$(date +%s.%N)}"
  frame records "$text"
  frame bell "${mark[bell]}"
  local -a trash=(_/trash/*)
  frame trash "${#trash[@]}"
}

# Does the process live that wrote this record, `started`?
is_supervised() {
  local line='' boot
  local -a stat
  [[ $1 =~ ^p=([0-9]+)\;s=([0-9]+)\;b=([0-9a-f]{12})$ ]] || return 1
  read -r boot </proc/sys/kernel/random/boot_id
  boot=${boot//-/}
  [[ ${BASH_REMATCH[3]} == "${boot:0:12}" && -e /proc/${BASH_REMATCH[1]}/stat ]] || return 1
  { IFS= read -r -d '' line <"/proc/${BASH_REMATCH[1]}/stat"; } 2>/dev/null
  # shellcheck disable=SC2206
  stat=(${line##*) })
  [[ ${stat[0]-} == [!ZX] && ${stat[19]-} == "${BASH_REMATCH[2]}" ]]
}

# Sets HOLDER to the ledger whose doorbell is open: its process is alive under the identity that it wrote down.
holder() {
  local ledger pid start line=
  local -a stat
  HOLDER=
  [[ -s _/holder && -f _/holder ]] || return
  read -r ledger pid start <_/holder
  [[ $pid =~ ^[0-9]+$ && -e /proc/$pid ]] && IFS= read -r -d '' line 2>/dev/null <"/proc/$pid/stat"
  read -r -a stat <<<"${line##*) }"
  [[ -n $start && ${stat[19]-} == "$start" ]] && HOLDER=$ledger
}

# The runs that have not ended: is their lock held, and if not, how many processes still carry their mark.
# Asked before the records are read: a run without a result here may have one there, never the other way round.
report_live() {
  local dir name index text=
  local -a dirs=() asked=() started=()
  for name in "${PLACES[@]}"; do dirs+=("$name"/runs/*/); done
  for dir in "${dirs[@]}"; do
    dir=${dir%/} name=${dir##*/}
    [[ -L $dir || $name == *[!a-z0-9-]* ]] && continue
    [[ -L $dir/result && ! -L $dir/stuck ]] && continue
    if [[ -L $dir/started ]]; then
      asked+=("$dir")
    else
      lock_state "$dir"
      text+="$dir $LOCK 0$NL"
    fi
  done
  if ((${#asked[@]})); then
    mapfile -t started < <(readlink -- "${asked[@]/%//started}")
    for index in "${!asked[@]}"; do
      dir=${asked[index]}
      [[ ${started[index]-} == void ]] && continue
      # A supervisor holds its lock for as long as it lives, which costs no process to see.
      if [[ -f $dir/lock && ! -L $dir/lock ]] && is_supervised "${started[index]}"; then LOCK=held; else lock_state "$dir"; fi
      SURVIVORS=0
      [[ $LOCK == held && ! -L $dir/stuck ]] || count_survivors "$dir"
      text+="$dir $LOCK $SURVIVORS$NL"
    done
  fi
  frame live "$text"
}

# Sets SURVIVORS, or `-` when the scan could not find itself and so cannot be trusted.
count_survivors() {
  local owner self mark text
  SURVIVORS=-
  owner=$(readlink -- "$1/owner")
  mark="${1##*/};-"
  [[ ! ";$owner" =~ \;m=([A-Za-z0-9]+) ]] || mark="${1##*/};${BASH_REMATCH[1]}"
  text=$(
    printf '%s\n' "$BASHPID"
    RECONCILER_SCAN=$NONCE exec grep -lzsxF -e "RECONCILER_MARK=$mark" -e "RECONCILER_RUN_DIR=$PWD/$1" \
      -e "RECONCILER_SCAN=$NONCE" /proc/[0-9]*/environ
  )
  self=${text%%"$NL"*}
  [[ $text$NL == *"/proc/$self/environ$NL"* ]] || return
  text=${text//[!$NL]/}
  SURVIVORS=$((${#text} - 1))
}

# The machine: read from /proc by bash itself, the disk by one process. Lines already in FACTS go along.
report_facts() {
  local boot='' hostname='' uptime='' load='' text='' memory='' swap='' disk='' inodes='' place=$ROOT
  local free block inodes_free inodes_all
  read -r boot </proc/sys/kernel/random/boot_id
  read -r hostname </proc/sys/kernel/hostname
  read -r uptime text </proc/uptime
  read -r load text </proc/loadavg
  IFS= read -r -d '' text </proc/meminfo
  [[ $text =~ MemAvailable:\ *([0-9]+) ]] && memory=$((BASH_REMATCH[1] * 1024))
  [[ $text =~ SwapFree:\ *([0-9]+) ]] && swap=$((BASH_REMATCH[1] * 1024))
  while [[ $place == /*/* && ! -d $place ]]; do place=${place%/*}; done
  [[ -d $place ]] || place=/
  # A file system that makes inodes as it needs them says 0 of 0: nothing to run out of.
  if read -r free block inodes_free inodes_all < <(exec stat -f -c '%a %S %d %c' -- "$place" 2>/dev/null); then
    disk=$((free * block))
    ((inodes_all)) && inodes=$inodes_free
  fi
  frame facts "boot_id=$boot
hostname=$hostname
uptime=$uptime
load1=$load
memory_free=$memory
swap_free=$swap
disk_free=$disk
inodes_free=$inodes
${FACTS-}"
}

# Adds to FACTS which of the programs asked for are on the PATH that workers get.
find_programs() {
  local program folder found PATH=$PATH
  local -a programs folders
  [[ -n ${FIELD[programs]-} ]] || return 0
  prelude_path
  IFS=: read -r -a folders <<<"$PATH"
  read -r -a programs <<<"${FIELD[programs]//"$NL"/ }"
  for program in "${programs[@]}"; do
    [[ $program =~ ^[A-Za-z0-9._+][A-Za-z0-9._+-]{0,99}$ ]] || continue
    found=0
    for folder in "${folders[@]}"; do
      [[ -f $folder/$program && -x $folder/$program ]] && found=1
    done
    FACTS+="program.$program=$found$NL"
  done
}

report() {
  find_places
  report_live
  report_records
  report_facts
}
