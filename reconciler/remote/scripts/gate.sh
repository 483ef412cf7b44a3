# shellcheck shell=bash disable=SC2034,SC2154
# The gate of a host. With `restrict,command="exec bash --noprofile --norc -p GATE act"` before a key in authorized_keys,
# that key runs reconciler's own scripts and nothing else; with `observe` in place of `act`, only those that look.
# Beside this file lie: allowed/*, a list for every released version, `<kind> <bytes> <sha256>` a line; root and prelude,
# and fleet_id where one fleet alone may come in: they are the only values that such a call may have.

gate_refuse() {
  printf 'reconciler gate: %s\n' "$1" >&2
  exit 77
}

# Is this text on the list, as something of one of these kinds?
gate_listed() {
  local text=$1 sum kind
  sum=$(printf %s "$text" | sha256sum) || return
  for kind in "${@:2}"; do
    [[ $gate_list != *$'\n'"$kind ${#text} ${sum%% *}"$'\n'* ]] || return 0
  done
  return 1
}

# Is VALUE, to the byte, what lies here under this name? What is not here allows nothing.
gate_pinned() {
  local pin
  [[ -f $gate_place/$1 ]] && { IFS= read -r -d '' pin <"$gate_place/$1" || true; } && [[ $VALUE == "$pin" ]]
}

# The scripts call this with every field of the payload: what is code, or says where to work, has to be known here.
admit() {
  case $KEY in
    root) gate_pinned root || refuse 'the gate of this host allows another workspaceRoot alone: `reconciler host gate` renews it' ;;
    prelude)
      [[ -z $VALUE ]] || gate_pinned prelude ||
        refuse 'the gate of this host allows another shellPrelude alone: `reconciler host gate` renews it'
      ;;
    fleet_id)
      [[ ! -e $gate_place/fleet_id ]] || gate_pinned fleet_id || refuse 'the gate of this host is for another fleet'
      ;;
    supervisor | project_script | qa_script)
      gate_listed "$VALUE" "$KEY" || refuse "the gate of this host does not know this $KEY: \`reconciler host gate\` renews it"
      ;;
    agent) gate_agent=$VALUE ;;
    help)
      [[ -z $VALUE ]] || gate_listed "$gate_agent"$'\n'"$VALUE" program ||
        refuse 'the gate of this host does not know how this program is asked for its options: `reconciler host gate` renews it'
      ;;
  esac
}

# Sets gate_script to the script on standard input, and takes not one byte of the payload behind it: it reads up to the
# sizes on the list, from the smallest on, and whoever sends more than the largest has sent no script of ours. A doorbell's
# input stays open, so an unknown one that is short shows by its silence.
gate_take() {
  local line size part IFS=$'\n' end=$'\nmain 3<&0 </dev/null; exit\n'
  local -a sizes=()
  gate_script=
  for line in $gate_list; do # a here-document would be read byte by byte
    [[ $line =~ ^([a-z]+)\ ([1-9][0-9]{0,6})\  && "$IFS${gate_kinds[*]}$IFS" == *"$IFS${BASH_REMATCH[1]}$IFS"* ]] &&
      sizes[BASH_REMATCH[2]]=1
  done
  for size in "${!sizes[@]}"; do
    IFS= read -r -t 10 -N $((size - ${#gate_script})) part || break
    gate_script+=$part
    [[ $gate_script == *"$end" ]] && break
  done
  gate_listed "$gate_script" "${gate_kinds[@]}" ||
    gate_refuse 'this key may not run this script, or it was cut off. Is the gate older than the controller? `reconciler host gate` renews it'
}

gate_open() {
  local list text
  gate_mode=${1-} gate_place=${BASH_SOURCE[0]%/*} gate_list=$'\n' gate_locale=${LC_ALL-}
  LC_ALL=C
  case $gate_mode in
    act) gate_kinds=(observe collect check take act bell reset) ;;
    observe) gate_kinds=(observe collect check) ;;
    *) gate_refuse 'its command in authorized_keys has to end in act or in observe' ;;
  esac
  [[ ${SSH_ORIGINAL_COMMAND-} == 'exec bash --noprofile --norc -p -s' ]] ||
    gate_refuse "this key runs reconciler's own scripts alone: no shell, no \`exec\`, no copying of files"
  hash -- sha256sum 2>/dev/null || gate_refuse 'sha256sum (of coreutils) is not on the PATH that sshd gives on this host'
  for list in "$gate_place"/allowed/*; do
    { IFS= read -r -d '' text <"$list" || true; } && gate_list+=$text$'\n'
  done
  gate_take
  # The script is to see what a login without a gate has.
  if [[ -n $gate_locale ]]; then LC_ALL=$gate_locale; else unset -v LC_ALL; fi
}

gate_open "$@"; eval "$gate_script"; exit
