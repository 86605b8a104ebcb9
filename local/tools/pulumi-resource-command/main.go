// A stand-in for Pulumi's command provider, for machines that reach package registries only: the official plugin is
// published as a binary and its source is no module that a registry serves. It has the official one's names and
// behaviour, and differs in this:
//
//   - SSH is spoken by the machine's own OpenSSH client, which cannot be handed a password: `password` and
//     `privateKeyPassword` are refused.
//   - A variable of `environment` that the server does not accept is dropped, as OpenSSH does, and not an error.
//   - `assetPaths` and `archivePaths` of local.Command, the function local.run and the deprecated remote.CopyFile are
//     left out.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// version is the official plugin's whose place this one takes; the build sets it.
var version string

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	if version == "" {
		return fmt.Errorf("built without a version: -X main.version is missing")
	}
	provider, err := newProvider()
	if err != nil {
		return err
	}
	// Either signal ends the server only when all requests have returned: what they run has to end by it too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	stopping = ctx
	removeAbandoned(privateParent())
	return p.RunProvider(ctx, "command", version, provider)
}

// stopping is done once this process has been told to end.
var stopping = context.Background()

func newProvider() (p.Provider, error) {
	return infer.NewProviderBuilder().
		WithDisplayName("Command").
		WithDescription("A stand-in for the Pulumi Command Provider, over the machine's OpenSSH client.").
		WithLicense("Apache-2.0").
		WithResources(
			infer.Resource(&RemoteCommand{}),
			infer.Resource(&CopyToRemote{}),
			infer.Resource(&LocalCommand{}),
		).
		Build()
}
