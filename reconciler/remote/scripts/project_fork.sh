# shellcheck shell=bash disable=SC2034,SC2154
# Where work is pushed.

# Sets origin to where work is pushed: the fork, where there has to be one, else the repository.
project_origin() {
  local text parent name
  origin=$url
  [[ $fork != never ]] || return 0
  [[ -n $slug ]] ||
    reconciler_fail "fork: $fork needs a repository on GitHub, and $url is none: set repoUrl, or fork: never"
  hash -- gh 2>/dev/null || reconciler_fail "fork: $fork needs gh on this host: install it, or set fork: never"
  if [[ $fork == auto ]]; then
    project_gh 60 api --hostname "$forge" "repos/${slug#*/}" --jq .permissions.push || project_no_gh
    [[ $SAID != true ]] || return 0
  fi
  project_gh 120 repo fork "$slug" --clone=false || project_no_gh
  text=
  [[ $SAID =~ ([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)\ already\ exists ]] && text=${BASH_REMATCH[1]}
  if [[ -z $text ]]; then
    project_gh 60 api --hostname "$forge" user --jq .login || project_no_gh
    text=$SAID/${slug##*/} fresh_fork=1
  fi
  project_gh 60 api --hostname "$forge" "repos/$text" --jq '.parent.full_name, .clone_url, .ssh_url' || project_no_gh
  parent=${SAID%%"$NL"*} name=${slug#*/}
  [[ ${parent,,} == "${name,,}" ]] ||
    reconciler_fail "$text is not a fork of ${slug#*/}: rename it, or set fork: never and gitUrl to the right one"
  SAID=${SAID#*"$NL"}
  if [[ $url == https://* || $url == http://* || $url == /* || $url == file:* ]]; then
    origin=${SAID%%"$NL"*}
  else
    origin=${SAID#*"$NL"}
  fi
  [[ $origin == [/A-Za-z0-9]* && $origin != *[[:cntrl:]]* && $origin != *::* ]] ||
    reconciler_fail "gh does not say where the fork $text is: update gh on this host"
}

# gh with a limit of $1 seconds; SAID is what it printed, else what it complained about.
project_gh() {
  local limit=$1 code complaint=$RECONCILER_RUN_DIR/gh.said
  shift
  SAID=$(
    [[ -z $PROJECT_LOCK ]] || exec {PROJECT_LOCK}>&-
    exec timeout -k 5 "$limit" gh "$@" </dev/null 2>"$complaint" 6>&-
  )
  code=$?
  ((code == 0)) && [[ -n $SAID ]] || SAID=$(cat -- "$complaint")
  rm -f -- "$complaint"
  return "$code"
}

project_no_gh() {
  reconciler_fail "gh cannot ask $forge whether ${slug#*/} needs a fork: $(said) (give workers a GH_TOKEN secret, run \`gh auth login\` on this host, or set fork: never)"
}
