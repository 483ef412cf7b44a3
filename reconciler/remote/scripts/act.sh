# shellcheck shell=bash disable=SC2034,SC2154
# Carries out the operations of the payload, in their order, under the lease; then reports from under the same lock.

declare -A GIVEN=()

# The answer to the operation at hand: a word and a sentence.
reply() {
  frame "$OPERATION/${DIRECTORY##*/}" "$1"
}

# The operation whose fields have all been read.
perform() {
  [[ -n $OPERATION ]] || return 0
  local place=${DIRECTORY%/*}
  if [[ $OPERATION == worktree ]]; then
    [[ $DIRECTORY =~ ^$LABEL/worktrees/$RUN_NAME$ ]] || malformed "$OPERATION $DIRECTORY"
  else
    [[ $DIRECTORY =~ ^(_|$LABEL)/runs/$RUN_NAME$ ]] || malformed "$OPERATION $DIRECTORY"
  fi
  if [[ -L ${place%/*} || -L $place ]]; then
    reply "failed $place leads out of the workspace"
  else
    "$OPERATION" "$DIRECTORY"
  fi
}

receive
exec 3<&-
OPERATION='' DIRECTORY=''
while next_field; do
  [[ $KEY == @(settle|cancel|launch|cleanup|worktree) ]] && break
  FIELD[$KEY]=$VALUE
  KEY=
done
SUPERVISOR=${FIELD[supervisor]-}
need find stat flock grep readlink setsid ln mv mkdir rm rmdir
[[ -n ${FIELD[workspace_id]-} ]] || refuse 'the call does not say which workspace it was decided on'
require_lease
while [[ -n $KEY ]]; do
  if [[ $KEY == @(settle|cancel|launch|cleanup|worktree) ]]; then
    perform
    OPERATION=$KEY DIRECTORY=$VALUE GIVEN=()
  else
    GIVEN[$KEY]=$VALUE
  fi
  next_field || break
done
perform
empty_trash
note_revision
report
finish 0
