// The versions are in go-1.3.0.mod and go-1.4.0.mod.
module reeve.dev/go-peer

go 1.24.0
