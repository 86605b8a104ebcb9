package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func text(t *testing.T, content string) types.AssetOrArchive {
	t.Helper()
	asset, err := resource.NewTextAsset(content)
	if err != nil {
		t.Fatal(err)
	}
	return types.AssetOrArchive{Asset: asset}
}

func file(t *testing.T, path string) types.AssetOrArchive {
	t.Helper()
	asset, err := resource.NewPathAsset(path)
	if err != nil {
		t.Fatal(err)
	}
	return types.AssetOrArchive{Asset: asset}
}

func archive(t *testing.T, path string) types.AssetOrArchive {
	t.Helper()
	archive, err := resource.NewPathArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	return types.AssetOrArchive{Archive: archive}
}

// send runs what would be run on the other machine here; cut is how many bytes get lost on the way.
func send(t *testing.T, source types.AssetOrArchive, path string, cut int64) (string, error) {
	t.Helper()
	load, err := loadSource(source)
	if err != nil {
		t.Fatal(err)
	}
	input, err := load.open()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	if strings.Contains(load.command(path), "\n") {
		t.Error("not every login shell takes lines within quotes")
	}
	cmd := exec.Command("/bin/sh", "-c", load.command(path))
	cmd.Stdin = io.LimitReader(input, load.size-cut)
	said, err := cmd.CombinedOutput()
	return string(said), err
}

func must(t *testing.T, source types.AssetOrArchive, path string) {
	t.Helper()
	if said, err := send(t, source, path, 0); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func tree(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "tree")
	if err := os.MkdirAll(filepath.Join(folder, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"a": "A", "sub/b": "B"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestTextGetsItsFileAndTheFoldersAboveIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "it's a", "-new $HOME", "file")
	must(t, text(t, "first"), path)
	_ = os.Chmod(path, 0o600)
	must(t, text(t, "second"), path)
	info, _ := os.Stat(path)
	if got := content(t, path); got != "second" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v", got, info.Mode())
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left beside it: %v", names)
	}
}

func TestAPartOfAFileReplacesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	must(t, text(t, "first"), path)
	said, err := send(t, text(t, "second"), path, 1)
	if err == nil || !strings.Contains(said, "only a part of it has arrived") || content(t, path) != "first" {
		t.Errorf("%v: %s", err, said)
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left beside it: %v", names)
	}
}

func TestAFileGetsIntoAFolderUnderItsOwnName(t *testing.T) {
	folder := t.TempDir()
	must(t, file(t, filepath.Join(tree(t), "a")), folder)
	if got := content(t, filepath.Join(folder, "a")); got != "A" {
		t.Error(got)
	}
	if said, err := send(t, text(t, "x"), folder, 0); err == nil || !strings.Contains(said, "has no name") {
		t.Errorf("%v: %s", err, said)
	}
}

func TestALinkStaysALink(t *testing.T) {
	folder := t.TempDir()
	link, real := filepath.Join(folder, "link"), filepath.Join(folder, "real")
	must(t, text(t, "first"), real)
	_ = os.Symlink("real", link)
	must(t, text(t, "second"), link)
	if got, _ := os.Readlink(link); got != "real" || content(t, real) != "second" {
		t.Errorf("%q, %q", got, content(t, real))
	}
}

func TestAFolderGetsThereWholeAndItsContentsWithASlash(t *testing.T) {
	source, target := tree(t), filepath.Join(t.TempDir(), "new")
	must(t, archive(t, source), target)
	must(t, archive(t, source+"/"), target)
	for name, want := range map[string]string{"tree/a": "A", "tree/sub/b": "B", "a": "A", "sub/b": "B"} {
		if got := content(t, filepath.Join(target, name)); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	said, err := send(t, archive(t, source), filepath.Join(target, "a"), 0)
	if err == nil || !strings.Contains(said, "is not a folder") {
		t.Errorf("%v: %s", err, said)
	}
}

func TestSourcesThatCannotBeCopied(t *testing.T) {
	remote := types.AssetOrArchive{Asset: &resource.Asset{URI: "https://example.invalid/file"}}
	for _, source := range []types.AssetOrArchive{{}, remote} {
		if sourceProblem(source) == "" {
			t.Errorf("%v was taken", source)
		}
	}
	for _, source := range []types.AssetOrArchive{text(t, "x"), file(t, "copy.go"), archive(t, ".")} {
		if reason := sourceProblem(source); reason != "" {
			t.Error(reason)
		}
	}
}
