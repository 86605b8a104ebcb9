// The Pulumi Kubernetes provider's server, built from its published module.
//
// The module ships the package schema beside its own command, but not the copies that the command
// embeds at build time; the build step copies schema.json and terraform-mapping.json here instead.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
}
