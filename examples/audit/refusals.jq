# The same of refused calls alone, with the names of their arguments.
#   jq -rf refusals.jq audit.jsonl
select(.decision and .decision != "allow")
| [.time, .grant // "-", .server // "-", .tool // .resource // .prompt // .method, .reason, .rule // "-", (.argumentKeys // [] | join(","))]
| @tsv
