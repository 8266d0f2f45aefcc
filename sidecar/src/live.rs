//! What a configuration becomes: rulesets and upstreams that serve, swapped as one.
