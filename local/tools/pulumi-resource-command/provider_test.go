package main

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

// What the npm package @pulumi/command 1.2.1 gives and reads, but for what is left out.
func TestSchemaHasTheNamesOfTheOfficialOne(t *testing.T) {
	provider, err := newProvider()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	response, err := p.RawServer("command", "1.2.1", provider)(nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := response.GetSchema(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	var spec schema.PackageSpec
	if err := json.Unmarshal([]byte(answer.Schema), &spec); err != nil {
		t.Fatal(err)
	}
	if spec.Version != "1.2.1" {
		t.Error(spec.Version)
	}
	common := []string{
		"addPreviousOutputInEnv", "create", "delete", "environment", "logging", "stdin", "triggers", "update",
	}
	inputs := map[string][]string{
		"command:remote:Command":      append([]string{"connection"}, common...),
		"command:local:Command":       append([]string{"archivePaths", "assetPaths", "dir", "interpreter"}, common...),
		"command:remote:CopyToRemote": {"connection", "remotePath", "source", "triggers"},
	}
	for token, names := range inputs {
		resource := spec.Resources[token]
		for _, name := range names {
			if _, ok := resource.InputProperties[name]; !ok {
				t.Errorf("%s has no input %s", token, name)
			}
		}
		if len(resource.InputProperties) != len(names) || !resource.InputProperties["triggers"].ReplaceOnChanges {
			t.Errorf("%s: %v", token, resource.InputProperties)
		}
		if connection, ok := resource.InputProperties["connection"]; ok && !connection.Secret {
			t.Errorf("%s shows its connection", token)
		}
		written := token != "command:remote:CopyToRemote"
		for _, name := range []string{"stdout", "stderr"} {
			if slices.Contains(resource.Required, name) != written {
				t.Errorf("%s: output %s", token, name)
			}
		}
	}
	login := []string{
		"agentSocketPath", "dialErrorLimit", "host", "hostKey", "password", "perDialTimeout", "port", "privateKey",
		"privateKeyPassword", "user",
	}
	for token, names := range map[string][]string{
		"command:remote:ProxyConnection": login,
		"command:remote:Connection":      append([]string{"proxy"}, login...),
	} {
		for _, name := range names {
			if _, ok := spec.Types[token].Properties[name]; !ok {
				t.Errorf("%s has no %s", token, name)
			}
		}
		if len(spec.Types[token].Properties) != len(names) {
			t.Errorf("%s: %v", token, spec.Types[token].Properties)
		}
	}
	for _, token := range []string{"command:remote:Logging", "command:local:Logging"} {
		if len(spec.Types[token].Enum) != 4 {
			t.Errorf("%s: %v", token, spec.Types[token].Enum)
		}
	}
}
