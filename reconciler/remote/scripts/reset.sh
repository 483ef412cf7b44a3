# shellcheck shell=bash disable=SC2034,SC2154
# Empties the workspace. What must outlive it stays: lease, id and done/, and the files that calls hold locks on.

declare -A COUNT=([runs]=0 [cache]=0 [worktrees]=0 [checkouts]=0 [unpushed]=0 [kept]=0)

# A run that may still do something; an unreadable answer counts as one.
is_active() {
  local dir=$1
  [[ -n ${R[stuck]-} || (-z ${R[result]-} && ${R[started]-} != void) ]] || return 1
  lock_state "$dir"
  [[ $LOCK == free ]] || return 0
  [[ -n ${R[started]-} && ${R[started]} == *";b=$BOOT" ]] || return 1
  FOUND=() SESSION=
  mark_of "$dir"
  scan || return 0
  ((${#LIVING[@]}))
}

# Names what is active, if anything is.
find_active() {
  local place dir active='' busy=''
  for place in "${PLACES[@]}"; do
    for dir in "$place"/runs/*/; do
      dir=${dir%/}
      read_records "$dir"
      if is_active "$dir"; then active+=" ${dir##*/}"; fi
    done
    [[ $place == _ ]] && continue
    lock_state "$place"
    [[ $LOCK == free ]] || busy+=" $place"
  done
  [[ -z $active ]] || refuse "still active:$active (cancel them first, or wait until they have ended)"
  [[ -z $busy ]] || refuse "git is still at work in:$busy (try again when it is done)"
}

# Moves something into the trash and counts it: what, as what.
discard() {
  local name=${1//\//.}
  [[ -e $1 || -L $1 ]] && mv -T -- "$1" "_/trash/${name#_.}.$NONCE" && ((++COUNT[$2]))
}

discard_run() {
  local dir=$1 run=${1##*/}
  read_records "$dir"
  # What died without a word is over, too: it must not run again.
  [[ -n ${R[result]-} || -z ${R[started]-} || ${R[started]} == void ]] ||
    printf -v 'R[result]' 'state=lost;r=SupervisorGone;t=%(%s)T' -1
  [[ -n ${R[started]-} ]] || R[started]=void
  read_settings "$dir"
  drop_secrets
  mark_done "$run" && discard "$dir" runs
}

# Is there work in a worktree that is nowhere else? What git cannot tell counts.
is_unpushed() {
  local said
  [[ -e $1/.git ]] || return 1
  distrust_git -C "$1"
  said=$(ask_git -C "$1" status --porcelain 2>/dev/null) && [[ -z $said ]] || return 0
  said=$(ask_git -C "$1" rev-list -n 1 HEAD --not --remotes 2>/dev/null) || return 0
  [[ -n $said ]]
}

# How much of what was kept of worktrees that went before is nowhere else?
count_kept() {
  local ref said=
  while IFS= read -r ref; do
    if ! said=$(ask_git --git-dir="$1/.git" rev-list -n 1 "$ref" --not --remotes) || [[ -n $said ]]; then ((++COUNT[kept])); fi
  done < <(ask_git --git-dir="$1/.git" for-each-ref --format='%(refname)' refs/reconciler/wip)
}

# What is left of a project once its runs are gone; whatever else lies there is not ours.
discard_project() {
  local place=$1 tree unpushed
  count_kept "$place/checkout"
  for tree in "$place"/worktrees/*/; do
    tree=${tree%/} unpushed=0
    is_unpushed "$tree" && unpushed=1
    discard "$tree" worktrees && ((COUNT[unpushed] += unpushed))
  done
  discard "$place/worktrees" folders
  discard "$place/cache" cache
  discard "$place/checkout" checkouts
  discard "$place/checkout.new" folders
  rm -f -- "$place"/{lock,fetched,fetched.new,fetched.asked}
  rmdir -- "$place/runs" "$place"
} 2>/dev/null

receive
exec 3<&-
read_fields
need find stat flock grep readlink setsid ln mv mkdir rm rmdir
require_lease
find_places
SUPERVISOR=''
find_active
TRASH=(_/trash/*)
for PLACE in "${PLACES[@]}"; do
  for DIRECTORY in "$PLACE"/runs/*/; do discard_run "${DIRECTORY%/}"; done
  [[ $PLACE == _ ]] && continue
  hash -- git 2>/dev/null || prelude_path
  discard_project "$PLACE"
done
discard _/cache cache
discard _/projects folders
rm -f -- _/fleet _/name _/revision _/known_hosts
empty_trash
LEFT=(_/trash/*)
find_places
for PLACE in "${PLACES[@]}"; do LEFT+=("$PLACE"/runs/*/); done
frame removed "runs=${COUNT[runs]}
cache=${COUNT[cache]}
worktrees=${COUNT[worktrees]}
checkouts=${COUNT[checkouts]}
unpushed=${COUNT[unpushed]}
kept=${COUNT[kept]}
trash=${#TRASH[@]}
left=${#LEFT[@]}"
finish 0
