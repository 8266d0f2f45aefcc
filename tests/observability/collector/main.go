// Command collector is the OpenTelemetry collector with what Reeve's tests and examples/audit/collector.yaml name of it, and an
// exporter that prints what was received as OTLP/JSON, a batch a line, for tests to read.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/filelogreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

// printer prints each batch.
type printer struct {
	component.StartFunc
	component.ShutdownFunc
}

func (printer) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (printer) ConsumeTraces(_ context.Context, traces ptrace.Traces) error {
	return print((&ptrace.JSONMarshaler{}).MarshalTraces(traces))
}

func (printer) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	return print((&plog.JSONMarshaler{}).MarshalLogs(logs))
}

func print(line []byte, err error) error {
	if err == nil {
		_, err = fmt.Println(string(line))
	}
	return err
}

func factories() (otelcol.Factories, error) {
	print := exporter.NewFactory(component.MustNewType("print"), func() component.Config { return &struct{}{} },
		exporter.WithTraces(func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) {
			return printer{}, nil
		}, component.StabilityLevelDevelopment),
		exporter.WithLogs(func(context.Context, exporter.Settings, component.Config) (exporter.Logs, error) {
			return printer{}, nil
		}, component.StabilityLevelDevelopment))
	otlp, files := otlpreceiver.NewFactory(), filelogreceiver.NewFactory()
	sent, stored := otlphttpexporter.NewFactory(), filestorage.NewFactory()
	return otelcol.Factories{
		Receivers:  map[component.Type]receiver.Factory{otlp.Type(): otlp, files.Type(): files},
		Exporters:  map[component.Type]exporter.Factory{print.Type(): print, sent.Type(): sent},
		Extensions: map[component.Type]extension.Factory{stored.Type(): stored},
		Telemetry:  otelconftelemetry.NewFactory(),
	}, nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: collector CONFIGURATION... (file:PATH or yaml:TEXT; what a later one says holds before an earlier)")
		os.Exit(64)
	}
	collector, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Version: "0.165.0"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs:              os.Args[1:],
			ProviderFactories: []confmap.ProviderFactory{envprovider.NewFactory(), fileprovider.NewFactory(), yamlprovider.NewFactory()},
			DefaultScheme:     "env",
		}},
	})
	if err == nil {
		err = collector.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
