// One binary for the Kubernetes programs of a node, apart from the control plane's: only a stack with a real
// node needs it. The name under which it is started picks the command.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var commands = map[string]func() *cobra.Command{
	"kube-proxy": proxy.NewProxyCommand,
	"kubelet":    kubelet.NewKubeletCommand,
}

func main() {
	name := filepath.Base(os.Args[0])
	command, known := commands[name]
	if !known {
		names := make([]string, 0, len(commands))
		for command := range commands {
			names = append(names, command)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "%s: start this binary under one of these names: %s\n", name, strings.Join(names, ", "))
		os.Exit(2)
	}
	os.Exit(cli.Run(command()))
}
