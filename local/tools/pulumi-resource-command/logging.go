package main

import (
	"fmt"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// logs is which of a command's streams are shown while it runs.
type logs struct{ stdout, stderr bool }

const (
	logStdout = "stdout"
	logStderr = "stderr"
	logBoth   = "stdoutAndStderr"
	logNone   = "none"
)

func logsOf[T ~string](logging *T) logs {
	if logging == nil {
		return logs{true, true}
	}
	which := string(*logging)
	return logs{which == logStdout || which == logBoth, which == logStderr || which == logBoth}
}

func loggingValues[T ~string]() []infer.EnumValue[T] {
	return []infer.EnumValue[T]{
		{Name: logStdout, Value: logStdout, Description: "Standard output alone"},
		{Name: logStderr, Value: logStderr, Description: "Standard error alone"},
		{Name: logBoth, Value: logBoth, Description: "Standard output and standard error"},
		{Name: logNone, Value: logNone, Description: "Neither"},
	}
}

// loggingProblem is empty where the value is one of the four, or not known yet.
func loggingProblem[T ~string](logging *T) string {
	if logging == nil || *logging == "" {
		return ""
	}
	for _, known := range loggingValues[T]() {
		if *logging == known.Value {
			return ""
		}
	}
	return fmt.Sprintf("must be %s, %s, %s or %s", logStdout, logStderr, logBoth, logNone)
}

// RemoteLogging and LocalLogging are the same four values: the official plugin has an enumeration for each module.
type RemoteLogging string

func (RemoteLogging) Values() []infer.EnumValue[RemoteLogging] { return loggingValues[RemoteLogging]() }

func (l *RemoteLogging) Annotate(a infer.Annotator) { a.SetToken("remote", "Logging") }

type LocalLogging string

func (LocalLogging) Values() []infer.EnumValue[LocalLogging] { return loggingValues[LocalLogging]() }

func (l *LocalLogging) Annotate(a infer.Annotator) { a.SetToken("local", "Logging") }
