# Whether records are missing: of each run of a sidecar, its pod, its records, their first number, how many numbers after that are not
# there, and whether it ended in order. A file that begins later than with 1 was rotated: what is before it is elsewhere, not lost.
#   jq -n -rf gaps.jq audit.jsonl
reduce (inputs | select(.seq)) as $line ({};
  .[$line.run] |= {
    pod: ($line.pod // .pod), count: ((.count // 0) + 1),
    first: ([.first // $line.seq, $line.seq] | min), last: ([.last // 0, $line.seq] | max),
    stopped: (.stopped // false or $line.event == "stopped")
  })
| to_entries[]
| [.key, .value.pod // "-", .value.count, .value.first, .value.last - .value.first + 1 - .value.count,
   if .value.stopped then "stopped" else "runs or was killed" end,
   if .value.first > 1 then "begins at \(.value.first): earlier lines are not in this file" else empty end]
| @tsv
