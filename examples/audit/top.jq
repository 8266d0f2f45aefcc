# Who is refused what most, and why: a count for each.
#   jq -n -rf top.jq audit.jsonl
reduce (inputs | select(.decision and .decision != "allow")) as $call ({};
  .[[$call.grant // "-", $call.tool // $call.resource // $call.prompt // $call.method, $call.reason, $call.rule // "-"] | @tsv] += 1)
| to_entries | sort_by(-.value)[] | "\(.value)\t\(.key)"
