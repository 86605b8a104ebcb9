package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The names of the two machines in OpenSSH's settings. Their host keys are filed under them too, whatever the address
// and port by which they are reached.
const (
	targetName  = "target"
	bastionName = "bastion"
)

// files are those that OpenSSH is given, each in a folder that is private to one command. Whatever is secret goes
// through them and through pipes: arguments and environments of processes can be read by others.
type files struct {
	folder string
}

func (f files) config() string                { return f.folder + "/config" }
func (f files) key(machine string) string     { return f.folder + "/" + machine + ".key" }
func (f files) hostKey(machine string) string { return f.folder + "/" + machine + ".known_hosts" }

// log is where OpenSSH tells what is wrong, apart from what the command itself writes.
func (f files) log(machine string) string { return f.folder + "/" + machine + ".log" }

// entered is a file that is there once the machine has let us in.
func (f files) entered(machine string) string { return f.folder + "/" + machine + ".entered" }

// arguments of ssh. `--` keeps a command that begins with a dash from being taken for an option.
func (f files) arguments(command string) []string {
	return []string{"-F", f.config(), "-E", f.log(targetName), "--", targetName, command}
}

// settings are the text of OpenSSH's configuration file, which stands in for the user's and the system's.
func (f files) settings(c *Connection, environment map[string]string, ssh, agent string) (string, error) {
	// The time for the connection to a machine behind a bastion begins with that to the bastion.
	timeout := valueOr(c.PerDialTimeout, 15)
	lines := []string{}
	if c.Proxy != nil {
		own := valueOr(c.Proxy.PerDialTimeout, 15)
		if timeout > 0 && own > 0 {
			timeout += own
		} else {
			timeout = 0
		}
		lines = append(lines, f.machine(bastionName, &c.Proxy.Endpoint, own, agent)...)
	}
	lines = append(lines, f.machine(targetName, &c.Endpoint, timeout, agent)...)
	if c.Proxy != nil {
		proxy := []string{ssh, "-F", f.config(), "-E", f.log(bastionName)}
		command := strings.Join(mapped(proxy, shellQuote), " ")
		// The address is put in by OpenSSH itself, and has been looked at: there is nothing in it for a shell.
		lines = append(lines, "  ProxyCommand "+percent(command)+" -W '[%h]:%p' -- "+bastionName)
	}
	variables, err := setEnv(environment)
	if err != nil {
		return "", err
	}
	if variables != "" {
		lines = append(lines, "  "+variables)
	}
	return strings.Join(append(lines, always...), "\n") + "\n", nil
}

// always is what holds for every connection. Nobody is there to be asked; only what is named is offered, trusted and
// remembered; and a machine that is gone is noticed in the middle of a command.
var always = []string{
	"Host *",
	"  BatchMode yes",
	"  PreferredAuthentications publickey",
	"  ConnectionAttempts 1",
	"  ServerAliveInterval 15",
	"  ServerAliveCountMax 8",
	"  GlobalKnownHostsFile none",
	"  UpdateHostKeys no",
	"  CheckHostIP no",
	"  AddKeysToAgent no",
	"  ForwardAgent no",
	"  ForwardX11 no",
	"  ClearAllForwardings yes",
	"  ControlMaster no",
	"  ControlPath none",
	"  RequestTTY no",
	"  EscapeChar none",
	// Below it, a server's banner would be written among what the command writes.
	"  LogLevel ERROR",
}

func (f files) machine(name string, e *Endpoint, timeout int, agent string) []string {
	lines := []string{
		"Host " + name,
		"  HostName " + configQuote(percent(e.Host)),
		"  HostKeyAlias " + name,
		"  Port " + strconv.Itoa(int(e.port())),
		"  User " + configQuote(e.user()),
		// OpenSSH does this once the machine has let it in: what ended before it ran nothing.
		"  PermitLocalCommand yes",
		"  LocalCommand : >" + percent(shellQuote(f.entered(name))),
	}
	if timeout > 0 {
		lines = append(lines, "  ConnectTimeout "+strconv.Itoa(timeout))
	}
	if e.HostKey == nil {
		lines = append(lines, "  StrictHostKeyChecking no", "  UserKnownHostsFile /dev/null")
	} else {
		file := configQuote(percent(f.hostKey(name)))
		lines = append(lines, "  StrictHostKeyChecking yes", "  UserKnownHostsFile "+file)
	}
	if e.PrivateKey == nil {
		// Not the keys of this machine's user.
		lines = append(lines, "  IdentityFile none")
	} else {
		lines = append(lines, "  IdentityFile "+configQuote(percent(f.key(name))))
	}
	socket := agent
	if e.AgentSocketPath != nil {
		socket = *e.AgentSocketPath
	}
	if socket == "" || e.PrivateKey != nil && e.AgentSocketPath == nil {
		return append(lines, "  IdentitiesOnly yes", "  IdentityAgent none")
	}
	return append(lines, "  IdentitiesOnly no", "  IdentityAgent "+configQuote(percent(socket)))
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// setEnv is the line by which variables are sent. It is one line: OpenSSH takes the first of several only, and a value
// of several lines cannot be told it without everybody seeing it.
func setEnv(environment map[string]string) (string, error) {
	if len(environment) == 0 {
		return "", nil
	}
	words := []string{"SetEnv"}
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		if !variableName.MatchString(name) {
			return "", fmt.Errorf("environment: %q is not the name of a variable", name)
		}
		if !oneLine(environment[name]) {
			return "", fmt.Errorf("environment.%s: this stand-in for the command provider can only send values of one "+
				"line; give it to the command's stdin", name)
		}
		words = append(words, configQuote(name+"="+environment[name]))
	}
	return strings.Join(words, " "), nil
}

func oneLine(value string) bool { return !strings.ContainsAny(value, "\r\n\x00") }

// parseHostKey takes a public key as it lies in a .pub file, or as ssh-keyscan prints it after the host's name.
func parseHostKey(text string) (string, error) {
	problem := errors.New(`must be one public key: its type and its text, as in "ssh-ed25519 AAAA…"`)
	text = strings.TrimSpace(text)
	if !oneLine(text) {
		return "", problem
	}
	words := strings.Fields(text)
	for i := 0; i+1 < len(words) && i < 2; i++ {
		blob, err := base64.StdEncoding.DecodeString(words[i+1])
		// A key's text begins with its type.
		if err == nil && len(blob) > 4 && int(binary.BigEndian.Uint32(blob)) == len(words[i]) &&
			strings.HasPrefix(string(blob[4:]), words[i]) {
			return words[i] + " " + words[i+1], nil
		}
	}
	return "", problem
}

// knownHosts is the line that makes the key that of the machine.
func knownHosts(machine, hostKey string) (string, error) {
	key, err := parseHostKey(hostKey)
	return machine + " " + key + "\n", err
}

// keyFile is the private key as OpenSSH wants its file: without its last line's end it is not a key.
func keyFile(key string) string {
	return strings.TrimSpace(strings.ReplaceAll(key, "\r\n", "\n")) + "\n"
}

// configQuote makes one word of a value in OpenSSH's configuration file.
func configQuote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// percent keeps OpenSSH from reading a percent sign as one of its own abbreviations.
func percent(value string) string { return strings.ReplaceAll(value, "%", "%%") }

// shellQuote makes one word of a value for a POSIX shell.
func shellQuote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }

func mapped(values []string, change func(string) string) []string {
	changed := make([]string, 0, len(values))
	for _, value := range values {
		changed = append(changed, change(value))
	}
	return changed
}
