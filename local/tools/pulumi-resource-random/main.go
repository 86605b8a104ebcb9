// The Pulumi Random provider's server: HashiCorp's provider, at the release that the official plugin of this version is
// made of (3.9.0, by the commit that go.mod names), behind Pulumi's bridge. The official plugin's own module cannot be
// had, and all that it adds is below: the names, and the identity of RandomBytes.
//
// The provider's package is internal to its module, so this module's path lies within that one's.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	bridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/terraform-providers/terraform-provider-random/internal/provider"
)

const name = "random"

// version is that of the official plugin, and of the SDK that asks for it; the build sets it.
var version string

func main() {
	if err := serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	if version == "" {
		return errors.New("built without a version: -X main.version is missing")
	}
	info := providerInfo()
	generated, err := tfgen.GenerateSchema(ctx, tfgen.GenerateSchemaOptions{
		ProviderInfo: info,
		// Else it looks for the upstream's documentation in a checkout, and downloads one.
		XInMemoryDocs: true,
		// Standard output is the engine's: it reads the server's port there.
		DiagnosticsSink: diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never}),
	})
	if err != nil {
		return err
	}
	tfbridge.Main(ctx, name, info, generated.ProviderMetadata)
	return nil
}

func providerInfo() bridge.ProviderInfo {
	info := bridge.ProviderInfo{
		P:       tfbridge.ShimProvider(provider.New()),
		Name:    name,
		Version: version,
		// The bridge wants its record of earlier releases' names: none has been renamed.
		MetadataInfo: bridge.NewProviderMetadata([]byte("{}")),
		Resources: map[string]*bridge.ResourceInfo{
			"random_bytes": {ComputeID: bytesID},
		},
		EnableAccurateBridgePreview: true,
		EnableRawStateDelta:         true,
	}
	info.MustComputeTokens(tokens.SingleModule("random_", "index", func(module, resource string) (string, error) {
		return tokens.MakeStandard(name)(module, "Random"+resource)
	}))
	return info
}

// bytesID is the bytes themselves: the upstream resource has no other identity.
func bytesID(_ context.Context, state resource.PropertyMap) (resource.ID, error) {
	text := state["base64"]
	if text.IsSecret() {
		text = text.SecretValue().Element
	}
	if !text.IsString() {
		return "", errors.New("random_bytes has no base64 text")
	}
	return resource.ID(text.StringValue()), nil
}
