package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// client is the OpenSSH of this machine and what it is given of it.
type client struct {
	ssh    string
	agent  string
	parent string
	// wait pauses before the next attempt.
	wait func(ctx context.Context, attempt int) error
	note func(string)
}

func newClient(note func(string)) (*client, error) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		return nil, errors.New("there is no ssh on PATH: this stand-in for the command provider needs an OpenSSH client")
	}
	return &client{ssh, os.Getenv("SSH_AUTH_SOCK"), privateParent(), pause, note}, nil
}

// job is one command on a machine.
type job struct {
	command     string
	environment map[string]string
	// input opens what the command reads; each attempt to connect opens it anew.
	input          func() (io.ReadCloser, error)
	stdout, stderr io.Writer
}

// exitError says that the command did run.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// OpenSSH's own exit code for all that goes wrong with the connection; a command may end with it too.
const sshFailed = 255

// run connects and runs the command, once. As long as nothing answers at the address, it tries again.
func (c *client) run(ctx context.Context, connection *Connection, work job) error {
	if failures := connection.problems(true); len(failures) > 0 {
		return fmt.Errorf("%s: %s", failures[0].Property, failures[0].Reason)
	}
	files, remove, err := makePrivate(c.parent)
	if err != nil {
		return err
	}
	defer remove()
	if err := files.write(connection, work.environment, c.ssh, c.agent); err != nil {
		return err
	}
	failed := map[string]int{}
	for {
		files.forget()
		code, err := c.start(ctx, files, work)
		if err != nil || code == 0 {
			return err
		}
		if code != sshFailed || files.hasEntered(targetName) {
			return &exitError{code}
		}
		at, endpoint := targetName, &connection.Endpoint
		if connection.Proxy != nil && !files.hasEntered(bastionName) {
			at, endpoint = bastionName, &connection.Proxy.Endpoint
		}
		failed[at]++
		where := fmt.Sprintf("%s@%s port %.0f", endpoint.user(), endpoint.Host, endpoint.port())
		reason, said := judge(files.logOf(bastionName) + files.logOf(targetName))
		if reason != "" {
			return fmt.Errorf("%s: %s; nothing was run there: %s", where, reason, said)
		}
		if limit := valueOr(endpoint.DialErrorLimit, 10); limit >= 0 && failed[at] > limit {
			return fmt.Errorf("%s cannot be reached, after %d attempts; nothing was run there: %s",
				where, failed[at], said)
		}
		c.note(fmt.Sprintf("%s does not answer (%s): trying again", where, said))
		if err := c.wait(ctx, failed[at]); err != nil {
			return err
		}
	}
}

func (c *client) start(ctx context.Context, files files, work job) (int, error) {
	cmd := exec.Command(c.ssh, files.arguments(work.command)...)
	// Nothing else of this process's: the engine's passphrase is in there.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "SHELL=/bin/sh", "LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = work.stdout, work.stderr
	if work.input != nil {
		input, err := work.input()
		if err != nil {
			return 0, err
		}
		defer input.Close()
		cmd.Stdin = input
	}
	return execute(ctx, cmd)
}

// unreached is what OpenSSH tells where nobody answers, or does not get to the end of the greeting: the machine may
// be starting.
var unreached = regexp.MustCompile(`(?i)connect to host|could not resolve|connection (refused|reset|closed|timed out)|` +
	`timed out|no route to host|network is unreachable|host is down|stdio forwarding failed|open failed|` +
	`kex_exchange_identification|banner exchange|broken pipe`)

// Of the reasons that do not go away by themselves; each is looked for before those of `unreached`, since a connection
// that is refused is closed too.
var refusals = []struct {
	sign   *regexp.Regexp
	reason string
}{
	{
		regexp.MustCompile(`(?i)host key verification failed`),
		"the machine does not prove itself by the key that is given as hostKey",
	},
	{
		regexp.MustCompile(`(?i)load key|error in libcrypto|invalid format|incorrect passphrase|sign_and_send_pubkey`),
		"the private key cannot be used",
	},
	{
		regexp.MustCompile(`(?i)permission denied|too many authentication failures|no more authentication methods`),
		"it does not let us in",
	},
	{
		regexp.MustCompile(`(?i)unable to negotiate|no matching`),
		"it and this machine's OpenSSH have no cipher or key type in common",
	},
}

// judge reads in what OpenSSH tells why it is no use to try again, which is nothing where it may be, and the line that
// says so. The bastion's lines come first: the connection behind it only tells that it was closed.
func judge(log string) (reason, said string) {
	lines := strings.FieldsFunc(log, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 0 {
		return "", "ssh did not say why"
	}
	for _, one := range refusals {
		if at := slices.IndexFunc(lines, one.sign.MatchString); at >= 0 {
			return one.reason, lines[at]
		}
	}
	if at := slices.IndexFunc(lines, unreached.MatchString); at >= 0 {
		return "", lines[at]
	}
	return "the connection failed", lines[len(lines)-1]
}

// pause waits a little longer each time, up to 5 s.
func pause(ctx context.Context, attempt int) error {
	delay := min(time.Duration(attempt)*500*time.Millisecond, 5*time.Second)
	select {
	case <-ctx.Done():
		return errStopped
	case <-stopping.Done():
		return errStopped
	case <-time.After(delay):
		return nil
	}
}
