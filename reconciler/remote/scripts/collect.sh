# shellcheck shell=bash disable=SC2034,SC2154
# Hands over what ended or running runs have said. It writes nothing.

# A frame with SIZE bytes of a file from an offset; a file that shrinks meanwhile is filled up with zero bytes. What is short
# and has no such byte costs no process.
slice() {
  local text=
  printf '%s frame %s %d\n' "$NONCE" "$1" "$4"
  (($3 || $4 > 65536)) || { IFS= read -r -N "$4" text <"$2"; } 2>/dev/null
  if (($4 && ${#text} == $4)); then
    printf %s "$text"
  elif (($4)); then
    { tail -c "+$(($3 + 1))" -- "$2" && cat /dev/zero; } 2>/dev/null | head -c "$4"
  fi
  printf '\n'
}

# The frames of one run directory.
hand_over() {
  local dir=$1 run=${1##*/} name size from limit=${GIVEN[limit]:-${FIELD[limit]:-0}}
  local -a files=()
  if [[ ! -d $dir || -L $dir ]]; then
    frame "gone/$run" ''
    return
  fi
  for name in run.json answer.json blocked.md qa.tsv stdout.log stderr.log events.jsonl supervisor.log qa.log; do
    [[ -f $dir/$name && ! -L $dir/$name ]] && files+=("$dir/$name")
  done
  ((${#files[@]})) || return 0
  while read -r size name; do
    name=${name##*/} from=0
    # What is sent as a whole is never that large, whatever a worker put in its place: its begin is enough to say so.
    [[ $name == *.log || $name == *.jsonl ]] || ((size <= 1048576)) || size=1048576
    case $name in
      run.json)
        slice "asked/$run" "$dir/$name" 0 "$size"
        continue
        ;;
      answer.json | blocked.md)
        slice "${name%.*}/$run" "$dir/$name" 0 "$size"
        continue
        ;;
      qa.tsv)
        slice "qa/$run" "$dir/$name" 0 "$size"
        continue
        ;;
      supervisor.log)
        ((size > 16384)) && from=$((size - 16384))
        slice "phase_log/$run" "$dir/$name" "$from" $((size - from))
        continue
        ;;
      qa.log)
        ((size > 65536)) && from=$((size - 65536))
        slice "qa_log/$run" "$dir/$name" "$from" $((size - from))
        continue
        ;;
    esac
    from=${GIVEN[${name%.*}_from]:-0}
    [[ $from =~ ^[0-9]{1,15}$ && $limit =~ ^[0-9]{1,12}$ ]] || malformed "$from $limit"
    ((from = 10#$from, from > size)) && from=$size
    size=$((size - from > 10#$limit ? 10#$limit : size - from))
    slice "${name%.*}/$run" "$dir/$name" "$from" "$size"
  done < <(stat -c '%s %n' -- "${files[@]}")
}

receive
exec 3<&-
RUN=
declare -A GIVEN=()
while next_field; do
  [[ $KEY == run ]] && break
  FIELD[$KEY]=$VALUE
  KEY=
done
need stat tail head
open_workspace
while [[ -n $KEY ]]; do
  if [[ $KEY == run ]]; then
    [[ -z $RUN ]] || hand_over "$RUN"
    [[ $VALUE =~ ^(_|$LABEL)/runs/[a-z0-9-]+$ ]] || malformed "run $VALUE"
    RUN=$VALUE GIVEN=()
  else
    GIVEN[$KEY]=$VALUE
  fi
  next_field || break
done
[[ -z $RUN ]] || hand_over "$RUN"
finish 0
