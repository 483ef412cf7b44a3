#!/usr/bin/env bash
# `make demo`: the quickstart fleet as a git repository of its own, converged on this machine, shown step by step.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
room=$(mktemp -d "${TMPDIR:-/tmp}/reconciler-demo.XXXXXX")
trap 'rm -rf "$room"' EXIT
export RECONCILER_STATE_DIR="$room/state" RECONCILER_REPO="$room/fleet"
export GIT_AUTHOR_NAME=demo GIT_AUTHOR_EMAIL=demo@localhost GIT_COMMITTER_NAME=demo GIT_COMMITTER_EMAIL=demo@localhost

bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi
say() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; "$@"; }

cp -r "$here/quickstart" "$room/fleet"
# A workspace of its own, so that the demo can be run again and again.
sed -i "s|^  transport: local.*|&\n  workspaceRoot: $room/workspace|" "$room/fleet/hosts/local.yaml"
git -C "$room/fleet" init --quiet --initial-branch=main
git -C "$room/fleet" add .
git -C "$room/fleet" commit --quiet --message "A fleet of one: this machine"

say reconciler validate
say reconciler plan
say reconciler reconcile --wait --timeout 2m
say reconciler get tasks
say reconciler logs hello
say reconciler plan --detailed-exitcode
printf '\nThe same again changes nothing: exit code 0. Everything above lay in %s and is removed now.\n' "$room"
