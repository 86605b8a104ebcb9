package main

import (
	"context"
	"io"
	"maps"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Steps are the commands of a resource's life. A changed trigger replaces the resource, so that it is deleted by the
// old `delete` and created anew; any other change updates it.
type Steps struct {
	Triggers *[]any  `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Create   *string `pulumi:"create,optional"`
	Update   *string `pulumi:"update,optional"`
	Delete   *string `pulumi:"delete,optional"`
}

func (s *Steps) Annotate(a infer.Annotator) {
	a.Describe(&s.Triggers, "Values of any type; when one changes, the resource is replaced.")
	a.Describe(&s.Create, "The command that is run when the resource is created.")
	a.Describe(&s.Update, "The command that is run when an input changes; without it `create` is.")
	a.Describe(&s.Delete, "The command that is run when the resource is deleted.")
}

// onUpdate is the command for a changed input, or nil.
func (s *Steps) onUpdate() *string {
	if s.Update != nil {
		return s.Update
	}
	return s.Create
}

// Written is what the last command has written.
type Written struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

func (w *Written) Annotate(a infer.Annotator) {
	a.Describe(&w.Stdout, "What the command wrote to standard output.")
	a.Describe(&w.Stderr, "What the command wrote to standard error.")
}

// variables are those of the step that follows another one, unless the user has set them.
func (w *Written) variables(wanted *bool) map[string]string {
	variables := map[string]string{}
	if !valueOr(wanted, true) {
		return variables
	}
	if w.Stdout != "" {
		variables["PULUMI_COMMAND_STDOUT"] = w.Stdout
	}
	if w.Stderr != "" {
		variables["PULUMI_COMMAND_STDERR"] = w.Stderr
	}
	return variables
}

type RemoteCommand struct{}

func (c *RemoteCommand) Annotate(a infer.Annotator) {
	a.SetToken("remote", "Command")
	a.Describe(&c, "A command that is run on another machine, by SSH.")
}

type RemoteInputs struct {
	Steps
	Stdin                  *string           `pulumi:"stdin,optional"`
	Logging                *RemoteLogging    `pulumi:"logging,optional"`
	Connection             *Connection       `pulumi:"connection" provider:"secret"`
	Environment            map[string]string `pulumi:"environment,optional"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
}

func (i *RemoteInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Stdin, "What the command reads from standard input: the place for secrets.")
	a.Describe(&i.Logging, "Which of the command's streams are shown while it runs. Default: both.")
	a.Describe(&i.Connection, "How to log in to the machine.")
	a.Describe(&i.Environment, "Variables of the command, of which the server takes those that its AcceptEnv names.")
	a.Describe(&i.AddPreviousOutputInEnv,
		"Whether the next step finds what this one wrote in PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR.")
	a.SetDefault(&i.AddPreviousOutputInEnv, true)
}

type RemoteState struct {
	RemoteInputs
	Written
}

var (
	_ infer.CustomCheck[RemoteInputs]               = (*RemoteCommand)(nil)
	_ infer.CustomUpdate[RemoteInputs, RemoteState] = (*RemoteCommand)(nil)
	_ infer.CustomDelete[RemoteState]               = (*RemoteCommand)(nil)
)

func (*RemoteCommand) Check(
	ctx context.Context, req infer.CheckRequest,
) (infer.CheckResponse[RemoteInputs], error) {
	inputs, failures, err := infer.DefaultCheck[RemoteInputs](ctx, req.NewInputs)
	if err == nil && len(failures) == 0 {
		failures = inputs.problems()
	}
	return infer.CheckResponse[RemoteInputs]{Inputs: inputs, Failures: failures}, err
}

func (i *RemoteInputs) problems() (failures []p.CheckFailure) {
	if i.Connection != nil {
		failures = i.Connection.problems(false)
	}
	if reason := loggingProblem(i.Logging); reason != "" {
		failures = append(failures, p.CheckFailure{Property: "logging", Reason: reason})
	}
	if _, err := setEnv(i.Environment); err != nil {
		failures = append(failures, p.CheckFailure{Property: "environment", Reason: err.Error()})
	}
	return failures
}

func (*RemoteCommand) Create(
	ctx context.Context, req infer.CreateRequest[RemoteInputs],
) (infer.CreateResponse[RemoteState], error) {
	state := RemoteState{RemoteInputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun {
		err = state.run(ctx, state.Create)
	}
	return infer.CreateResponse[RemoteState]{ID: id, Output: state}, err
}

func (*RemoteCommand) Update(
	ctx context.Context, req infer.UpdateRequest[RemoteInputs, RemoteState],
) (infer.UpdateResponse[RemoteState], error) {
	state := RemoteState{req.Inputs, req.State.Written}
	var err error
	if !req.DryRun {
		err = state.run(ctx, state.onUpdate())
	}
	return infer.UpdateResponse[RemoteState]{Output: state}, err
}

func (*RemoteCommand) Delete(
	ctx context.Context, req infer.DeleteRequest[RemoteState],
) (infer.DeleteResponse, error) {
	return infer.DeleteResponse{}, req.State.run(ctx, req.State.Delete)
}

// run runs one step, where there is one, and keeps what it wrote.
func (s *RemoteState) run(ctx context.Context, command *string) error {
	if command == nil {
		return nil
	}
	log := p.GetLogger(ctx)
	ssh, err := newClient(log.InfoStatus)
	if err != nil {
		return err
	}
	environment := s.Written.variables(s.AddPreviousOutputInEnv)
	// The settings take one line for each; what was not asked for by name is left out rather than refused.
	maps.DeleteFunc(environment, func(_, value string) bool { return !oneLine(value) })
	maps.Copy(environment, s.Environment)

	out := newOutput(logsOf(s.Logging), log.InfoStatus)
	work := job{command: *command, environment: environment, stdout: &out.stdout, stderr: &out.stderr}
	if s.Stdin != nil && *s.Stdin != "" {
		work.input = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(*s.Stdin)), nil }
	}
	if err := ssh.run(ctx, s.Connection, work); err != nil {
		return out.failure(err, s.secrets()...)
	}
	s.Written = Written{out.stdout.text(), out.stderr.text()}
	return nil
}

func (s *RemoteState) secrets() []*string {
	secrets := []*string{s.Stdin, s.Connection.PrivateKey}
	if s.Connection.Proxy != nil {
		secrets = append(secrets, s.Connection.Proxy.PrivateKey)
	}
	return secrets
}
