# Who called what, when, and which rule decided: a line for each decision.
#   jq -rf calls.jq audit.jsonl
select(.decision)
| [.time, .grant // "-", .pod // "-", .server // "-", .tool // .resource // .prompt // .method, .decision, .reason, .rule // "-"]
| @tsv
