say() { printf '%s\n' "$*"; }
fail() { printf 'stopped: %s\n' "$*" >&2; exit 1; }
k() { kubectl --context "$context" "$@"; }

context=${1:-$(kubectl config current-context)}
timeout=${MESHSCRAPE_TIMEOUT:-300}
tmp=$(mktemp -d)
trap '[ -z "${proxy:-}" ] || kill "$proxy" 2>/dev/null; rm -rf "$tmp"' EXIT

# The cluster that the plan was made for. Another name for the same one is given as the first argument.
made_for() {
  [ "$context" = "$1" ] || [ -n "${given:-}" ] ||
    fail "this was made for the context $1, and $context is the current one; to go on: $0 $context"
}
given=${1:-}

step() { printf '\n== %s\n' "$*"; }

# A question that only a person can answer; without a terminal the variable answers it.
by_eye() { # variable question
  local answer=
  [ "${!1:-}" = yes ] && return 0
  if [ -t 0 ]; then
    read -r -p "$2 [y/N] " answer
    case $answer in y | Y | yes) return 0 ;; esac
  fi
  say "Stopped before the rest: $2"
  say "If yes, run this again with $1=yes."
  exit 3
}

there() { # resource namespace name
  k get "$1" "$3" ${2:+-n "$2"} -o name >"$tmp/there" 2>"$tmp/err" ||
    { cat "$tmp/err" >&2; fail "$1 $2/$3 cannot be read; export again"; }
}

create() { k apply --server-side --field-manager=meshscrape -f "$1"; }

# Server-side apply to an object of somebody's. `kubectl apply` will not do: of an object that was once applied
# without --server-side it moves every field to the new manager, which would take all of it as its own.
proxy=
send() { # path file force: what the server says in $tmp/answer
  local code
  if [ -z "$proxy" ]; then
    command -v curl >/dev/null || fail "curl is needed"
    kubectl --context "$context" proxy --unix-socket="$tmp/api" >"$tmp/proxy" 2>&1 &
    proxy=$!
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      [ -S "$tmp/api" ] && break
      sleep 0.5
    done
  fi
  code=$(curl -sS --unix-socket "$tmp/api" -o "$tmp/answer" -w '%{http_code}' -X PATCH \
    -H 'Content-Type: application/apply-patch+yaml' --data-binary "@$2" \
    "http://localhost$1?fieldManager=meshscrape&force=$3") || { cat "$tmp/proxy" >&2; return 1; }
  [ "$code" = 200 ] || [ "$code" = 201 ]
}

refused() { # words
  sed -n 's/^ *"message": "\(.*\)",\{0,1\}$/\1/p' "$tmp/answer" >&2
  fail "$1"
}

change() { # resource namespace name path file: an object that must be there
  there "$1" "$2" "$3"
  send "$4" "$5" false || refused "$1 $2/$3 was not written"
  say "$1/$3 applied"
}

take() { # resource namespace name path file conflicts: takes the fields named in that file and no others
  there "$1" "$2" "$3"
  if send "$4" "$5" false; then
    say "$1/$3 applied"
    return 0
  fi
  grep -q '"FieldManagerConflict"' "$tmp/answer" || refused "$1 $2/$3 was not written"
  # Managers and fields of the conflicts, one a line.
  {
    grep -oE 'conflict with \\"[^"\]*' "$tmp/answer" | sed 's/.*"//'
    grep -oE '"field": ?"([^"\]|\\.)*"' "$tmp/answer" | sed -e 's/^"field": \{0,1\}"//' -e 's/"$//' -e 's/\\"/"/g'
  } | sort -u >"$tmp/now"
  sort -u "$6" >"$tmp/then"
  comm -23 "$tmp/now" "$tmp/then" >"$tmp/more"
  [ ! -s "$tmp/more" ] || refused "$1 $2/$3: others own fields that were not theirs at the export; export again"
  send "$4" "$5" true || refused "$1 $2/$3 was not written"
  say "$1/$3 applied"
}

edit() { # resource namespace name file: a JSON patch that tests what it replaces
  k patch "$1" "$3" ${2:+-n "$2"} --type=json --field-manager=meshscrape --patch-file="$4" ||
    fail "$1 $2/$3 is not as it was at the export; export again"
}

remove() { # path uid: only while it is the very object
  printf '{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":"%s"}}' "$2" >"$tmp/options"
  if ! k delete --raw "$1" -f "$tmp/options" >"$tmp/out" 2>"$tmp/err"; then
    grep -q 'NotFound' "$tmp/err" || { cat "$tmp/err" >&2; fail "$1 was not deleted; export again"; }
    say "gone already"
  fi
}

mark_pod() { # namespace name uid path file: a pod that has gone meanwhile needs no mark
  local uid
  uid=$(k -n "$1" get pod "$2" --ignore-not-found -o 'jsonpath={.metadata.uid}')
  if [ "$uid" != "$3" ]; then
    say "the pod $2 is gone: nothing to mark"
    return 0
  fi
  send "$4" "$5" false || refused "the pod $2 was not marked"
  say "pod/$2 marked"
}

hash() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -c1-64
}

text() { # namespace configmap key sha256-before sha256-after at:cut:file…: the file's other bytes stay
  local ns=$1 name=$2 key=$3 before=$4 after=$5 version now place at cut new
  shift 5
  version=$(k -n "$ns" get configmap "$name" -o 'jsonpath={.metadata.resourceVersion}')
  k -n "$ns" get configmap "$name" -o "go-template={{index .data \"$key\"}}" >"$tmp/text"
  now=$(hash "$tmp/text")
  if [ "$now" = "$after" ]; then
    say "stands already"
    return 0
  fi
  [ "$now" = "$before" ] || fail "$key of $ns/$name was changed since the export; export again"
  for place in "$@"; do
    IFS=: read -r at cut new <<<"$place"
    : >"$tmp/next"
    [ "$at" -eq 0 ] || head -c "$at" "$tmp/text" >>"$tmp/next"
    cat "$new" >>"$tmp/next"
    tail -c "+$((at + cut + 1))" "$tmp/text" >>"$tmp/next"
    mv "$tmp/next" "$tmp/text"
  done
  [ "$(hash "$tmp/text")" = "$after" ] || fail "$key of $ns/$name would not be what the export saw"
  kubectl create configmap "$name" -n "$ns" --from-file="$key=$tmp/text" --dry-run=client -o json |
    kubectl patch -f - --local --type=merge -p "{\"metadata\":{\"resourceVersion\":\"$version\"}}" -o json >"$tmp/patch"
  k -n "$ns" patch configmap "$name" --type=merge --field-manager=meshscrape --patch-file="$tmp/patch"
}

read_back() { there "$@"; }

pause() { sleep "$1"; }

rollout() { # namespace kind name
  local strategy
  strategy=$(k -n "$1" get "$2" "$3" -o 'jsonpath={.spec.updateStrategy.type}')
  if [ "$strategy" = OnDelete ]; then
    say "$3 changes its pods only when they are deleted (OnDelete): delete them, one after another"
    return 0
  fi
  k -n "$1" rollout status "$2/$3" --timeout="${timeout}s"
}

selector() { # namespace kind name
  k -n "$1" get "$2" "$3" -o 'go-template={{range $key, $value := .spec.selector.matchLabels}}{{$key}}={{$value}},{{end}}' | sed 's/,$//'
}

pods() { # namespace kind name
  k -n "$1" get pods -l "$(selector "$1" "$2" "$3")" --field-selector=status.phase=Running \
    -o 'jsonpath={range .items[*]}{.metadata.name}{" "}{end}'
}

# Prometheus, asked through the API server: namespace kind name port prefix, how it reloads, whether it is closed.
prometheus() {
  prometheus_ns=$1 prometheus_kind=$2 prometheus_name=$3 prometheus_port=$4 prometheus_prefix=$5
  prometheus_reload=$6 prometheus_closed=$7
}

asked() { # pod path
  k get --raw "/api/v1/namespaces/$prometheus_ns/pods/$1:$prometheus_port/proxy$prometheus_prefix$2" 2>>"$tmp/asked"
}

wait_for() { # words command…
  local words=$1 end=$((SECONDS + timeout))
  shift
  say "waiting for $words"
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fail "after $timeout s still waiting for $words"
    sleep 3
  done
}

runs_job() { # job
  local all pod
  all=$(pods "$prometheus_ns" "$prometheus_kind" "$prometheus_name") || return 1
  [ -n "$all" ] || return 1
  for pod in $all; do
    if [ "$prometheus_reload" = on-request ]; then
      k create --raw "/api/v1/namespaces/$prometheus_ns/pods/$pod:$prometheus_port/proxy$prometheus_prefix/-/reload" -f /dev/null >/dev/null 2>&1 || true
    fi
    asked "$pod" /api/v1/status/config >"$tmp/config" || return 1
    grep -qF -e "job_name: $1\\n" -e "job_name: \\\"$1\\\"\\n" "$tmp/config" || return 1
  done
}

config_has() { # job
  if [ "$prometheus_closed" = yes ]; then
    by_eye MESHSCRAPE_SEEN "Does Prometheus run the job $1?"
  else
    wait_for "Prometheus to run the job $1 (a ConfigMap takes about a minute to reach the pod)" runs_job "$1"
  fi
}

up_since() { # moment namespace kind name
  local since=$1 ns=$2 all pattern count pod want
  all=$(pods "$2" "$3" "$4") || return 1
  # shellcheck disable=SC2086
  set -- $all
  want=$#
  [ "$want" -gt 0 ] || return 1
  pattern=$(IFS='|'; printf '%s' "$*")
  pattern=${pattern//|/%7C}
  local up="up%7Bjob%3D~%22$jobs%22%2Cnamespace%3D%22$ns%22%2Cpod%3D~%22$pattern%22%7D"
  all=$(pods "$prometheus_ns" "$prometheus_kind" "$prometheus_name") || return 1
  [ -n "$all" ] || return 1
  for pod in $all; do
    count=$(asked "$pod" "/api/v1/query?query=count(($up%3D%3D1)and(timestamp($up)%3E$since))" |
      sed -n 's/.*"value":\[[^,]*,"\([0-9]*\)"\].*/\1/p') || return 1
    [ "${count:-0}" -ge "$want" ] || return 1
  done
}

clock() { # Prometheus's own
  local all
  all=$(pods "$prometheus_ns" "$prometheus_kind" "$prometheus_name") || return 1
  asked "${all%% *}" '/api/v1/query?query=time()' | sed -n 's/.*"result":\[\([0-9]*\).*/\1/p'
}

targets_up() { # namespace kind name
  local since
  if [ "$prometheus_closed" = yes ]; then
    by_eye MESHSCRAPE_SEEN "Are the targets of $1/$3 UP in Prometheus?"
    return 0
  fi
  since=$(clock)
  wait_for "the targets of $1/$3 to come UP" up_since "${since:-0}" "$@"
}
