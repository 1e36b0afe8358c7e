// Reads a Grafana dashboard from standard input by the schema that Grafana publishes (its Foundation SDK), and ends with 1 and a line for
// each field that is missing, unknown or of another type.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	// The options of panels have schemas of their own, by the type of the panel.
	plugins.RegisterDefaultPlugins()
	raw, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	var read dashboard.Dashboard
	// A list of faults without any is an error that is not nil, and has no text.
	if err := read.UnmarshalJSONStrict(raw); err != nil && err.Error() != "" {
		fail(err)
	}
	if err := read.Validate(); err != nil && err.Error() != "" {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
