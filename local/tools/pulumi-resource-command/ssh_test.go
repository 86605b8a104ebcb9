package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script stands in for OpenSSH: `$log` and `$config` are the files that it is given, `$attempt` counts from 1, and what
// it is called with and sees around it goes to the file `seen`.
const script = `#!/bin/sh
here=$(dirname "$0")
config=$2 log=$4
{ printf '%s\n' "$@"; env; } >>"$here/seen"
echo x >>"$here/attempts"
attempt=$(wc -l <"$here/attempts")
folder=$(dirname "$config")
`

type stage struct {
	*client
	folder string
	notes  []string
	waits  int
}

func newStage(t *testing.T, plan string) *stage {
	t.Helper()
	folder := t.TempDir()
	ssh := filepath.Join(folder, "ssh")
	if err := os.WriteFile(ssh, []byte(script+plan), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &stage{folder: folder}
	parent := filepath.Join(folder, "private")
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	wait := func(context.Context, int) error { s.waits++; return nil }
	s.client = &client{ssh, "", parent, wait, func(text string) { s.notes = append(s.notes, text) }}
	return s
}

func (s *stage) try(t *testing.T, c *Connection, stdin string) (*output, error) {
	t.Helper()
	out := newOutput(logs{}, nil)
	work := job{command: "do it", stdout: &out.stdout, stderr: &out.stderr}
	work.environment = map[string]string{"A": "hidden-variable"}
	if stdin != "" {
		work.input = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(stdin)), nil }
	}
	err := s.run(context.Background(), c, work)
	left, _ := filepath.Glob(filepath.Join(s.parent, "*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return out, err
}

func (s *stage) attempts() int {
	text, _ := os.ReadFile(filepath.Join(s.folder, "attempts"))
	return bytes.Count(text, []byte("\n"))
}

func connection() *Connection {
	return &Connection{Endpoint: Endpoint{Host: "h", PrivateKey: of(secret), HostKey: of(ed25519)}}
}

func TestNoSecretInArgumentsOrEnvironment(t *testing.T) {
	t.Setenv("PULUMI_CONFIG_PASSPHRASE", "hidden-passphrase")
	s := newStage(t, `cat; cat "$folder/target.key" "$folder/target.known_hosts" >&2
stat -c %a "$folder" "$folder/target.key" "$config" >&2`)
	out, err := s.try(t, connection(), "hidden-stdin")
	if err != nil {
		t.Fatal(err)
	}
	seen, _ := os.ReadFile(filepath.Join(s.folder, "seen"))
	expectNot(t, string(seen), secret, "hidden-stdin", "hidden-variable", "hidden-passphrase")
	if got := out.stdout.text(); got != "hidden-stdin" {
		t.Errorf("stdin came as %q", got)
	}
	if got, want := out.stderr.text(), secret+"\ntarget "+ed25519+"\n700\n600\n600"; got != want {
		t.Errorf("files: got %q, want %q", got, want)
	}
}

func TestTriesAgainWhileNobodyAnswersWithTheSameInput(t *testing.T) {
	s := newStage(t, `[ $attempt -gt 2 ] || { head -c 3 >/dev/null; echo "Connection refused" >"$log"; exit 255; }
: >"$folder/target.entered"; cat`)
	out, err := s.try(t, connection(), "whole input")
	if err != nil || out.stdout.text() != "whole input" || s.waits != 2 || len(s.notes) != 2 {
		t.Errorf("%v, %q, %d waits, %q", err, out.stdout.text(), s.waits, s.notes)
	}
}

func TestGivesUpAfterTheLimit(t *testing.T) {
	s := newStage(t, `echo "ssh: connect to host h port 22: Connection refused" >"$log"; exit 255`)
	c := connection()
	c.DialErrorLimit = of(3)
	_, err := s.try(t, c, "")
	if err == nil || !strings.Contains(err.Error(), "root@h port 22 cannot be reached, after 4 attempts") {
		t.Error(err)
	}
	if s.attempts() != 4 {
		t.Errorf("%v, %d attempts", err, s.attempts())
	}
	if !strings.Contains(err.Error(), "nothing was run there: ssh: connect to host h port 22: Connection refused") {
		t.Error(err)
	}
}

func TestTheBastionHasItsOwnLimit(t *testing.T) {
	c := connection()
	c.Proxy = &ProxyConnection{Endpoint{Host: "b", DialErrorLimit: of(1)}}
	s := newStage(t, `echo "ssh: connect to host b port 22: Connection refused" >"$folder/bastion.log"
echo "Connection closed by UNKNOWN port 65535" >"$log"; exit 255`)
	_, err := s.try(t, c, "")
	if err == nil || !strings.Contains(err.Error(), "root@b port 22 cannot be reached, after 2 attempts") {
		t.Error(err)
	}
	s = newStage(t, `: >"$folder/bastion.entered"; echo "stdio forwarding failed" >"$folder/bastion.log"; exit 255`)
	c.DialErrorLimit = of(2)
	_, err = s.try(t, c, "")
	if err == nil || !strings.Contains(err.Error(), "root@h port 22 cannot be reached, after 3 attempts") {
		t.Error(err)
	}
}

func TestEachAttemptIsJudgedByWhatItSaysItself(t *testing.T) {
	c := connection()
	c.Proxy = &ProxyConnection{Endpoint{Host: "b", DialErrorLimit: of(0)}}
	s := newStage(t, `[ $attempt -gt 1 ] || : >"$folder/bastion.entered"
echo "connect to host $attempt: No route to host" >>"$folder/bastion.log"; exit 255`)
	_, err := s.try(t, c, "")
	if err == nil || !strings.HasPrefix(err.Error(), "root@b port 22 ") || !strings.Contains(err.Error(), "host 2:") {
		t.Error(err)
	}
}

func TestWhatIsRefusedIsNotTriedAgain(t *testing.T) {
	for log, reason := range map[string]string{
		"@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.":       "does not prove itself",
		"No ED25519 host key is known for target\nHost key verification failed.":                    "does not prove itself",
		"root@h: Permission denied (publickey).":                                                    "does not let us in",
		"Received disconnect: Too many authentication failures\nConnection closed by h":             "does not let us in",
		"Load key \"/x\": invalid format\nroot@h: Permission denied (publickey).":                   "private key cannot be used",
		"Unable to negotiate with h port 22: no matching host key type found. Their offer: ssh-dss": "in common",
		"/x/config: line 3: Bad configuration option: nonsense":                                     "the connection failed",
	} {
		s := newStage(t, "cat >\"$log\" <<'END'\n"+log+"\nEND\nexit 255")
		_, err := s.try(t, connection(), "")
		if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), "nothing was run there") {
			t.Errorf("%q: %v", log, err)
		}
		if s.attempts() != 1 {
			t.Errorf("%q: %d attempts", log, s.attempts())
		}
	}
}

func TestWhatMayPassIsTriedAgain(t *testing.T) {
	for _, log := range []string{
		"",
		"ssh: Could not resolve hostname h: Temporary failure in name resolution",
		"ssh: connect to host h port 22: No route to host",
		"Connection timed out during banner exchange",
		"kex_exchange_identification: read: Connection reset by peer",
		"Connection closed by 10.0.0.1 port 22",
	} {
		if reason, said := judge(log); reason != "" || said == "" {
			t.Errorf("%q: %q, %q", log, reason, said)
		}
	}
}

func TestACommandThatRanIsNeverRunAgain(t *testing.T) {
	// As when the connection breaks in the middle of it.
	s := newStage(t, `: >"$folder/target.entered"; echo "client_loop: send disconnect: Broken pipe" >"$log"; exit 255`)
	_, err := s.try(t, connection(), "")
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != 255 || s.attempts() != 1 {
		t.Errorf("%v, %d attempts", err, s.attempts())
	}
	s = newStage(t, `exit 7`)
	if _, err := s.try(t, connection(), ""); !errors.As(err, &exit) || exit.code != 7 || s.attempts() != 1 {
		t.Errorf("%v, %d attempts", err, s.attempts())
	}
}

func TestCancellingOrEndingThisProcessEndsSSHAndWhatItStarted(t *testing.T) {
	background := context.Background()
	request, cancel := context.WithCancel(background)
	process, end := context.WithCancel(background)
	defer func() { stopping = background }()

	stopping = background
	endsAll(t, request, cancel)
	stopping = process
	endsAll(t, background, end)
}

func endsAll(t *testing.T, ctx context.Context, stop func()) {
	t.Helper()
	s := newStage(t, `sleep 300 & echo $! >"$here/child"; echo $$ >"$here/self"; wait`)
	done := make(chan error)
	go func() {
		done <- s.run(ctx, connection(), job{command: "do it", stdout: io.Discard, stderr: io.Discard})
	}()
	for !exists(filepath.Join(s.folder, "self")) {
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if err := <-done; !errors.Is(err, errStopped) {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.parent, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, name := range []string{"self", "child"} {
		pid, _ := os.ReadFile(filepath.Join(s.folder, name))
		state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err == nil && !strings.Contains(string(state), ") Z ") {
			t.Errorf("%s still runs", name)
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
