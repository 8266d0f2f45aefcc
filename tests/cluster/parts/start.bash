# Starting the parts of the cluster, waiting for them, and what they log.
#
# $REEVE_CLUSTER/parts/NAME has of each part its `command`, its `pid` and its `log`: tests/cluster/part reads them.

# start NAME COMMAND...
start() {
  local name=$1 folder=$REEVE_CLUSTER/parts/$1; shift
  mkdir -p "$folder"
  printf 'exec %s\n' "$(printf '%q ' "$@")" > "$folder/command"
  start_again "$name"
}

# start_again NAME: starts a part that has ended as it was started before.
start_again() {
  local folder=$REEVE_CLUSTER/parts/$1
  setsid bash "$folder/command" < /dev/null >> "$folder/log" 2>&1 &
  echo $! > "$folder/pid"
  # That one is killed is told by who kills it.
  disown $!
}

alive() { kill -0 "$(cat "$REEVE_CLUSTER/parts/$1/pid")" 2> /dev/null; }

# await WHAT NAME COMMAND...: waits until the command succeeds. Ends all if the part NAME has ended, or after two minutes.
await() {
  local what=$1 name=$2 deadline=$((SECONDS + 120)); shift 2
  until "$@" > /dev/null 2>&1; do
    if ! alive "$name" || [ "$SECONDS" -gt "$deadline" ]; then
      printf 'the cluster does not start: %s. The last that %s logged:\n' "$what" "$name" >&2
      tail -n 20 "$REEVE_CLUSTER/parts/$name/log" >&2
      keep_logs
      exit 1
    fi
    sleep 0.05
  done
}

# keep_logs: copies what all parts logged to where it outlives the cluster.
keep_logs() {
  rm -rf "$REEVE_CLUSTER_LOGS"; mkdir -p "$REEVE_CLUSTER_LOGS"
  local folder
  for folder in "$REEVE_CLUSTER"/parts/*; do cp "$folder/log" "$REEVE_CLUSTER_LOGS/$(basename "$folder").log"; done
  echo "what the parts of the cluster logged is in $REEVE_CLUSTER_LOGS" >&2
}
