# What policies and rules in Audit mode would have refused.
#   jq -rf would-refuse.jq audit.jsonl
select(.shadow) | . as $call | .shadow[] | select(.decision != "allow")
| [$call.time, $call.grant // "-", $call.server // "-", $call.tool // $call.resource // $call.prompt // $call.method, .reason, .rule]
| @tsv
