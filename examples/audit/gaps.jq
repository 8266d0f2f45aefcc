# Whether records are missing: of each run of a sidecar, its records, the numbers that are not there, and whether it ended in order.
#   jq -n -rf gaps.jq audit.jsonl
reduce (inputs | select(.seq)) as $line ({};
  .[$line.run] |= {
    pod: ($line.pod // .pod), count: ((.count // 0) + 1), last: ([.last // 0, $line.seq] | max),
    stopped: (.stopped // false or $line.event == "stopped")
  })
| to_entries[] | [.key, .value.pod // "-", .value.count, .value.last - .value.count, if .value.stopped then "stopped" else "runs or was killed" end]
| @tsv
