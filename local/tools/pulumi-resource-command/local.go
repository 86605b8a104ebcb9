package main

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

type LocalCommand struct{}

func (c *LocalCommand) Annotate(a infer.Annotator) {
	a.SetToken("local", "Command")
	a.Describe(&c, "A command that is run on this machine.")
}

type LocalInputs struct {
	Steps
	Interpreter            *[]string         `pulumi:"interpreter,optional"`
	Dir                    *string           `pulumi:"dir,optional"`
	Environment            map[string]string `pulumi:"environment,optional"`
	Stdin                  *string           `pulumi:"stdin,optional"`
	Logging                *LocalLogging     `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
	// Files that a command has made, as outputs: known, so that they can be refused.
	AssetPaths   *[]string `pulumi:"assetPaths,optional"`
	ArchivePaths *[]string `pulumi:"archivePaths,optional"`
}

func (i *LocalInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Interpreter, "The program that is given the command, and its arguments. Default: /bin/sh -c.")
	a.Describe(&i.Dir, "The folder in which the command is run.")
	a.Describe(&i.Environment, "Variables of the command, beside those of this process.")
	a.Describe(&i.Stdin, "What the command reads from standard input: the place for secrets.")
	a.Describe(&i.Logging, "Which of the command's streams are shown while it runs. Default: both.")
	a.Describe(&i.AssetPaths, "Refused by this stand-in.")
	a.Describe(&i.ArchivePaths, "Refused by this stand-in.")
	a.Describe(&i.AddPreviousOutputInEnv,
		"Whether the next step finds what this one wrote in PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR.")
	a.SetDefault(&i.AddPreviousOutputInEnv, true)
}

type LocalState struct {
	LocalInputs
	Written
}

var (
	_ infer.CustomCheck[LocalInputs]              = (*LocalCommand)(nil)
	_ infer.CustomUpdate[LocalInputs, LocalState] = (*LocalCommand)(nil)
	_ infer.CustomDelete[LocalState]              = (*LocalCommand)(nil)
)

func (*LocalCommand) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[LocalInputs], error) {
	inputs, failures, err := infer.DefaultCheck[LocalInputs](ctx, req.NewInputs)
	const notKept = "this stand-in for the command provider keeps no files"
	if inputs.AssetPaths != nil {
		failures = append(failures, p.CheckFailure{Property: "assetPaths", Reason: notKept})
	}
	if inputs.ArchivePaths != nil {
		failures = append(failures, p.CheckFailure{Property: "archivePaths", Reason: notKept})
	}
	if reason := loggingProblem(inputs.Logging); reason != "" {
		failures = append(failures, p.CheckFailure{Property: "logging", Reason: reason})
	}
	return infer.CheckResponse[LocalInputs]{Inputs: inputs, Failures: failures}, err
}

func (*LocalCommand) Create(
	ctx context.Context, req infer.CreateRequest[LocalInputs],
) (infer.CreateResponse[LocalState], error) {
	state := LocalState{LocalInputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun {
		err = state.run(ctx, state.Create)
	}
	return infer.CreateResponse[LocalState]{ID: id, Output: state}, err
}

func (*LocalCommand) Update(
	ctx context.Context, req infer.UpdateRequest[LocalInputs, LocalState],
) (infer.UpdateResponse[LocalState], error) {
	state := LocalState{req.Inputs, req.State.Written}
	var err error
	if !req.DryRun {
		err = state.run(ctx, state.onUpdate())
	}
	return infer.UpdateResponse[LocalState]{Output: state}, err
}

func (*LocalCommand) Delete(ctx context.Context, req infer.DeleteRequest[LocalState]) (infer.DeleteResponse, error) {
	return infer.DeleteResponse{}, req.State.run(ctx, req.State.Delete)
}

func (s *LocalState) run(ctx context.Context, command *string) error {
	if command == nil {
		return nil
	}
	words := append(s.interpreter(), *command)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = valueOr(s.Dir, "")
	cmd.Env = os.Environ()
	environment := s.Written.variables(s.AddPreviousOutputInEnv)
	maps.Copy(environment, s.Environment)
	for name, value := range environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if s.Stdin != nil {
		cmd.Stdin = strings.NewReader(*s.Stdin)
	}
	out := newOutput(logsOf(s.Logging), p.GetLogger(ctx).InfoStatus)
	cmd.Stdout, cmd.Stderr = &out.stdout, &out.stderr
	code, err := execute(ctx, cmd)
	if err != nil {
		return err
	}
	if code != 0 {
		return out.failure(&exitError{code}, s.Stdin)
	}
	s.Written = Written{out.stdout.text(), out.stderr.text()}
	return nil
}

func (s *LocalState) interpreter() []string {
	if s.Interpreter != nil && len(*s.Interpreter) > 0 {
		return append([]string{}, *s.Interpreter...)
	}
	return []string{"/bin/sh", "-c"}
}
