# The calls of one trace, as its spans are named in a tracing system.
#   jq -rf trace.jq --arg trace 4bf92f3577b34da6a3ce929d0e0e4736 audit.jsonl
select(.traceId == $trace)
| [.time, .pod // "-", .server // "-", .tool // .resource // .prompt // .method, .decision, .reason, .rule // "-"]
| @tsv
