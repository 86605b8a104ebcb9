// etcd's server and its tool for data on disk in one program, built from their published modules: the name that it is
// started by picks one.
package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/etcdutl/v3/etcdutl"
	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	if filepath.Base(os.Args[0]) != "etcdutl" {
		etcdmain.Main(os.Args)
		return
	}
	// The module's own main package cannot be imported: these are the commands that it has, of which K3s needs two.
	command := &cobra.Command{Use: "etcdutl", Short: "Works on etcd's files, without a server"}
	command.PersistentFlags().StringVarP(&etcdutl.OutputFormat, "write-out", "w", "simple", "fields, json, protobuf, simple or table")
	command.AddCommand(etcdutl.NewSnapshotCommand(), etcdutl.NewVersionCommand())
	if command.Execute() != nil {
		os.Exit(1)
	}
}
