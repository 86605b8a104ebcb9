package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

type CopyToRemote struct{}

func (c *CopyToRemote) Annotate(a infer.Annotator) {
	a.SetToken("remote", "CopyToRemote")
	a.Describe(&c, "A file or a folder that is copied to another machine, by SSH.")
}

type CopyInputs struct {
	Connection *Connection          `pulumi:"connection" provider:"secret"`
	Triggers   *[]any               `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Source     types.AssetOrArchive `pulumi:"source"`
	RemotePath string               `pulumi:"remotePath"`
}

func (i *CopyInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Connection, "How to log in to the machine.")
	a.Describe(&i.Triggers, "Values of any type; when one changes, the resource is replaced.")
	a.Describe(&i.Source, "What is copied: a file, a text, or an archive that is a path. Archives are not unpacked.")
	a.Describe(&i.RemotePath, "Where to. What is copied to a folder that is there gets into it, under its own name.")
}

type CopyState struct {
	CopyInputs
}

var (
	_ infer.CustomCheck[CopyInputs]             = (*CopyToRemote)(nil)
	_ infer.CustomUpdate[CopyInputs, CopyState] = (*CopyToRemote)(nil)
)

func (*CopyToRemote) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[CopyInputs], error) {
	inputs, failures, err := infer.DefaultCheck[CopyInputs](ctx, req.NewInputs)
	if err == nil && len(failures) == 0 {
		if inputs.Connection != nil {
			failures = inputs.Connection.problems(false)
		}
		// What is not known yet in a preview cannot be looked at.
		if !req.NewInputs.Get("source").IsComputed() {
			if reason := sourceProblem(inputs.Source); reason != "" {
				failures = append(failures, p.CheckFailure{Property: "source", Reason: reason})
			}
		}
	}
	return infer.CheckResponse[CopyInputs]{Inputs: inputs, Failures: failures}, err
}

func sourceProblem(source types.AssetOrArchive) string {
	asset, archive := source.Asset, source.Archive
	switch {
	case (asset == nil) == (archive == nil):
		return "must be one asset or one archive"
	case asset != nil && !asset.IsPath() && !asset.IsText():
		return "must be a FileAsset or a StringAsset"
	case archive != nil && !archive.IsPath():
		return "must be a FileArchive"
	}
	return ""
}

func (*CopyToRemote) Create(
	ctx context.Context, req infer.CreateRequest[CopyInputs],
) (infer.CreateResponse[CopyState], error) {
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun {
		err = req.Inputs.copy(ctx)
	}
	return infer.CreateResponse[CopyState]{ID: id, Output: CopyState{req.Inputs}}, err
}

func (*CopyToRemote) Update(
	ctx context.Context, req infer.UpdateRequest[CopyInputs, CopyState],
) (infer.UpdateResponse[CopyState], error) {
	var err error
	changed := req.Inputs.hash() != req.State.hash() || req.Inputs.RemotePath != req.State.RemotePath
	if changed && !req.DryRun {
		err = req.Inputs.copy(ctx)
	}
	return infer.UpdateResponse[CopyState]{Output: CopyState{req.Inputs}}, err
}

func (i *CopyInputs) hash() string {
	switch {
	case i.Source.Asset != nil:
		return i.Source.Asset.Hash
	case i.Source.Archive != nil:
		return i.Source.Archive.Hash
	}
	return ""
}

func (i *CopyInputs) copy(ctx context.Context) error {
	if reason := sourceProblem(i.Source); reason != "" {
		return fmt.Errorf("source: %s", reason)
	}
	if i.RemotePath == "" || strings.ContainsRune(i.RemotePath, 0) {
		return errors.New("remotePath: must be a path")
	}
	load, err := loadSource(i.Source)
	if err != nil {
		return err
	}
	log := p.GetLogger(ctx)
	ssh, err := newClient(log.InfoStatus)
	if err != nil {
		return err
	}
	out := newOutput(logs{}, nil)
	work := job{command: load.command(i.RemotePath), input: load.open, stdout: &out.stdout, stderr: &out.stderr}
	return out.failure(ssh.run(ctx, i.Connection, work), i.Connection.PrivateKey)
}

// load is what is sent, and the script that receives it.
type load struct {
	open   func() (io.ReadCloser, error)
	size   int64
	script string
	// name is that of what is copied, by which it gets into a folder; empty where it has none or is not to have any.
	name string
}

// command is the script with its arguments. A connection that breaks looks like the end of the file at the other end,
// so that end is told how much to expect.
func (l load) command(remotePath string) string {
	arguments := []string{l.script, "sh", remotePath, l.name, strconv.FormatInt(l.size, 10)}
	return "sh -c " + strings.Join(mapped(arguments, shellQuote), " ")
}

// The scripts are one line each: not every login shell takes more within quotes. What they receive is written beside
// its place first, so that nothing is ever seen by half; what is there keeps its owner and mode, and links stay links.
const (
	fail = `fail() { echo "$1" >&2; exit 1; }; `

	receive = `trap 'rm -f -- "$draft"' EXIT; trap 'exit 1' HUP INT TERM; cat >"$draft"; ` +
		`[ "$(wc -c <"$draft")" -eq "$3" ] || fail "only a part of it has arrived"; `

	receiveFile = `set -eu; ` + fail + `dest=$1; ` +
		`if [ -d "$dest" ]; then [ -n "$2" ] || fail "$dest is a folder, and a text has no name in it"; ` +
		`dest=${dest%/}/$2; fi; ` +
		`if [ -L "$dest" ]; then dest=$(readlink -f -- "$dest"); fi; ` +
		`[ ! -d "$dest" ] || fail "$dest is a folder"; ` +
		`mkdir -p -- "$(dirname -- "$dest")"; draft=$dest.$$.part; (set -C; : >"$draft"); ` +
		`if [ -f "$dest" ]; then cp -p -- "$dest" "$draft"; fi; ` + receive + `mv -f -- "$draft" "$dest"`

	receiveFolder = `set -eu; ` + fail + `dest=$1; ` +
		`[ ! -e "$dest" ] || [ -d "$dest" ] || fail "$dest is not a folder"; ` +
		`if [ -n "$2" ]; then dest=${dest%/}/$2; fi; ` +
		`[ ! -e "$dest" ] || [ -d "$dest" ] || fail "$dest is not a folder"; ` +
		`mkdir -p -- "$dest"; draft=$(mktemp); ` + receive + `tar -xof "$draft" -C "$dest"`
)

func loadSource(source types.AssetOrArchive) (load, error) {
	if source.Asset != nil && source.Asset.IsText() {
		return loadBytes([]byte(source.Asset.Text), receiveFile, ""), nil
	}
	path := ""
	if source.Asset != nil {
		path = source.Asset.Path
	} else {
		path = source.Archive.Path
	}
	info, err := os.Stat(path)
	if err != nil {
		return load{}, err
	}
	name := filepath.Base(path)
	if !info.IsDir() {
		open := func() (io.ReadCloser, error) { return os.Open(path) }
		return load{open, info.Size(), receiveFile, name}, nil
	}
	packed, err := pack(path)
	if err != nil {
		return load{}, err
	}
	// As with rsync, a slash at the end means what is in the folder, and not the folder.
	if strings.HasSuffix(path, "/") {
		name = ""
	}
	return loadBytes(packed, receiveFolder, name), nil
}

func loadBytes(data []byte, script, name string) load {
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return load{open, int64(len(data)), script, name}
}

// pack makes a tar archive of a folder's files, in their order by name. Owners and modes are not carried over.
func pack(path string) ([]byte, error) {
	folder, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil || name == "." {
			return err
		}
		if entry.IsDir() {
			return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755})
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err = archive.Write(content)
		return err
	})
	// Closing it writes the archive's end.
	err = errors.Join(err, archive.Close())
	return packed.Bytes(), err
}
