package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

var errStopped = errors.New("stopped before it ended: what it had begun may be half done")

// How long what is ended may take to end by itself.
const endGrace = 3 * time.Second

// execute runs a program to its end, and gives its exit code. Cancelling ends it, and whatever it has started: it has
// a process group of its own.
func execute(ctx context.Context, cmd *exec.Cmd) (int, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// What it has left running may hold its output open: that is not waited for.
	cmd.WaitDelay = endGrace
	if ctx.Err() != nil || stopping.Err() != nil {
		return 0, errStopped
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	var wait sync.WaitGroup
	stopped := false
	wait.Go(func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		case <-stopping.Done():
		}
		stopped = true
		group := -cmd.Process.Pid
		_ = syscall.Kill(group, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(endGrace):
		}
		_ = syscall.Kill(group, syscall.SIGKILL)
	})
	err := cmd.Wait()
	close(ended)
	wait.Wait()
	if stopped {
		return 0, errStopped
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 0, fmt.Errorf("ended by signal: %s", status.Signal())
		}
		return exit.ExitCode(), nil
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return 0, nil
	}
	return 0, err
}

// output keeps what a command writes and shows it line by line, as far as it may be shown.
type output struct {
	stdout, stderr stream
}

func newOutput(logs logs, show func(string)) *output {
	var lock sync.Mutex
	show = locked(&lock, show)
	o := &output{}
	if logs.stdout {
		o.stdout.show = show
	}
	if logs.stderr {
		o.stderr.show = show
	}
	return o
}

func locked(lock *sync.Mutex, show func(string)) func(string) {
	return func(line string) {
		lock.Lock()
		defer lock.Unlock()
		show(line)
	}
}

type stream struct {
	kept bytes.Buffer
	line []byte
	show func(string)
}

func (s *stream) Write(data []byte) (int, error) {
	s.kept.Write(data)
	if s.show == nil {
		return len(data), nil
	}
	s.line = append(s.line, data...)
	for {
		line, rest, whole := bytes.Cut(s.line, []byte("\n"))
		if !whole {
			return len(data), nil
		}
		s.show(string(line))
		s.line = rest
	}
}

// text is all that was written, but for the end of its last line, which no caller wants.
func (s *stream) text() string { return strings.TrimSuffix(s.kept.String(), "\n") }

// Characters of standard error that an error carries at most: its end tells what went wrong.
const errorLength = 8000

// failure is the error of a command that ended with another code than 0, with what it said about it.
func (o *output) failure(err error, secrets ...*string) error {
	var exit *exitError
	if !errors.As(err, &exit) {
		return err
	}
	text := strings.TrimSpace(hide(o.stderr.kept.String(), secrets...))
	if len(text) > errorLength {
		text = "…" + text[len(text)-errorLength:]
	}
	if text == "" {
		return fmt.Errorf("the command failed: %w, and nothing on its standard error", err)
	}
	return fmt.Errorf("the command failed: %w:\n%s", err, text)
}

// What is shorter is a word that says nothing, like an answer "yes".
const shortestSecret = 8

// hide takes lines of secrets out of what a command has echoed.
func hide(text string, secrets ...*string) string {
	for _, secret := range secrets {
		if secret == nil {
			continue
		}
		for line := range strings.Lines(*secret) {
			if line = strings.TrimSpace(line); len(line) >= shortestSecret {
				text = strings.ReplaceAll(text, line, "[secret]")
			}
		}
	}
	return text
}
