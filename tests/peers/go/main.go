// A server on the Go SDK with a few tools, the legacy era only: `go-peer PORT`. Built on versions that read keys of JSON
// loosely (CVE-2026-27896 and GHSA-q382-vc8q-7jhj), as servers in the field do.
//
// Each tool says on standard error that it ran, and with what.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type message struct {
	Message string `json:"message"`
}

type numbers struct {
	A float64 `json:"a"`
	B float64 `json:"b"`
}

type token struct {
	Token string `json:"token,omitempty"`
}

func ran(tool, given string) {
	quoted, _ := json.Marshal(given)
	fmt.Fprintf(os.Stderr, "ran %s %.64s\n", tool, quoted)
}

func text(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}

func echo(_ context.Context, _ *mcp.CallToolRequest, given message) (*mcp.CallToolResult, any, error) {
	ran("echo", given.Message)
	return text("Echo: " + given.Message), nil, nil
}

func add(_ context.Context, _ *mcp.CallToolRequest, given numbers) (*mcp.CallToolResult, any, error) {
	ran("add", fmt.Sprintf("%.0f", given.A))
	return text(fmt.Sprint(given.A + given.B)), nil, nil
}

func deleteEverything(_ context.Context, _ *mcp.CallToolRequest, given token) (*mcp.CallToolResult, any, error) {
	ran("delete_everything", given.Token)
	return text("deleted"), nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "go", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "echo", Description: "Answers with the message."}, echo)
	mcp.AddTool(server, &mcp.Tool{Name: "add", Description: "Adds two numbers."}, add)
	mcp.AddTool(server, &mcp.Tool{Name: "delete_everything", Description: "Deletes every datastore."}, deleteEverything)
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	mux := http.NewServeMux()
	mux.Handle("/mcp", handler)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], mux))
}
