// KEDA's metrics adapter, of its published packages. Its own main package tells the adapter's metrics on every address of
// the machine, by a flag that has a port alone: this one serves the API of metrics and nothing else, on `--bind-address`.
package main

import (
	"flag"
	"os"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/kedacore/keda/v2/pkg/metricsservice"
	"github.com/kedacore/keda/v2/pkg/provider"
	"github.com/kedacore/keda/v2/pkg/util"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
)

func main() {
	klog.InitFlags(nil)
	defer klog.Flush()
	if err := run(); err != nil {
		klog.ErrorS(err, "the metrics adapter has ended")
		klog.Flush()
		os.Exit(1)
	}
}

func run() error {
	ctx := ctrl.SetupSignalHandler()
	logger := klog.NewKlogr().WithName("keda_metrics_adapter")
	ctrl.SetLogger(logger)

	adapter := &cmd.AdapterBase{Name: "keda-adapter"}
	// Names and meanings are those of KEDA's own main package.
	operator := adapter.Flags().String("metrics-service-address", "", "The address of the GRPC Metrics Service Server.")
	adapter.Flags().AddGoFlagSet(flag.CommandLine)
	if err := adapter.Flags().Parse(os.Args); err != nil {
		return err
	}
	discovery, err := adapter.DiscoveryClient()
	if err != nil {
		return err
	}
	version, err := discovery.ServerVersion()
	if err != nil {
		return err
	}
	util.PrintWelcome(logger, util.NewK8sVersion(version), "metrics server")

	metrics := grpcprom.NewClientMetrics()
	grpc, err := metricsservice.NewGrpcClient(*operator, adapter.SecureServing.ServerCert.CertDirectory, "", metrics)
	if err != nil {
		return err
	}
	// All it knows it asks the operator: its client of the API is never used.
	var unused client.Client
	adapter.WithExternalMetrics(provider.NewProvider(ctx, logger, unused, *grpc))
	return adapter.Run(ctx.Done())
}
