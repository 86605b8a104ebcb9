package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOutputIsShownByLineAndAsFarAsItMayBe(t *testing.T) {
	write := func(o *output) {
		for _, part := range []string{"fir", "st\nsec", "ond\n"} {
			_, _ = o.stdout.Write([]byte(part))
		}
		_, _ = o.stderr.Write([]byte("error\n"))
	}
	for logging, want := range map[*RemoteLogging]string{
		nil:                               "first second error",
		of(RemoteLogging(logStdout)):      "first second",
		of(RemoteLogging(logStderr)):      "error",
		of(RemoteLogging(logBoth)):        "first second error",
		of(RemoteLogging(logNone)):        "",
		of(RemoteLogging("another word")): "",
	} {
		shown := []string{}
		o := newOutput(logsOf(logging), func(line string) { shown = append(shown, line) })
		write(o)
		if got := strings.Join(shown, " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if o.stdout.text() != "first\nsecond" || o.stderr.text() != "error" {
			t.Errorf("kept %q and %q", o.stdout.text(), o.stderr.text())
		}
	}
}

func TestAFailedCommandTellsItsCodeAndErrorsButNoSecrets(t *testing.T) {
	o := newOutput(logs{}, nil)
	_, _ = o.stdout.Write([]byte("what it wrote"))
	_, _ = o.stderr.Write([]byte("line: yes: token-that-is-long: not found\n" + secret + "\n"))
	stdin := "yes\n  token-that-is-long\n"
	err := o.failure(&exitError{7}, &stdin, of(secret), nil)
	if want := "the command failed: exit code 7:\nline: yes: [secret]: not found\n[secret]"; err.Error() != want {
		t.Errorf("got %q", err)
	}
	_, _ = o.stderr.Write([]byte(strings.Repeat("x", 2*errorLength) + "the end"))
	if text := o.failure(&exitError{1}).Error(); !strings.HasSuffix(text, "the end") || len(text) > errorLength+100 {
		t.Errorf("%d characters", len(text))
	}
	if err := o.failure(errStopped); err != errStopped {
		t.Error(err)
	}
}

func TestFoldersOfProcessesThatWereKilledAreRemovedAndNoOthers(t *testing.T) {
	parent := t.TempDir()
	used, remove, err := makePrivate(parent)
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) string { return filepath.Join(parent, privatePrefix+name) }
	abandoned, alone, fresh := named("1"), named("2"), named("3")
	for _, folder := range []string{abandoned, alone, fresh} {
		_ = os.Mkdir(folder, 0o700)
	}
	_ = os.WriteFile(filepath.Join(abandoned, lockFile), nil, 0o600)
	before := time.Now().Add(-time.Hour)
	for _, folder := range []string{used.folder, abandoned, alone} {
		_ = os.Chtimes(folder, before, before)
	}
	removeAbandoned(parent)
	if exists(abandoned) || exists(alone) || !exists(fresh) || !exists(used.folder) {
		t.Error("the wrong ones are gone")
	}
	remove()
	if exists(used.folder) {
		t.Error("still there")
	}
}

func TestPrivateFilesLieInTheRunTimeFolderWhereThereIsOne(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", "/tmp")
	t.Setenv("XDG_RUNTIME_DIR", folder)
	if got := privateParent(); got != folder {
		t.Error(got)
	}
	t.Setenv("XDG_RUNTIME_DIR", folder+"/gone")
	if got := privateParent(); got != "/tmp" {
		t.Error(got)
	}
}
