package main

import (
	"path/filepath"
	"regexp"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Endpoint is how one machine is entered, the bastion or the one behind it.
type Endpoint struct {
	Host               string   `pulumi:"host"`
	Port               *float64 `pulumi:"port,optional"`
	User               *string  `pulumi:"user,optional"`
	Password           *string  `pulumi:"password,optional"`
	PrivateKey         *string  `pulumi:"privateKey,optional"`
	PrivateKeyPassword *string  `pulumi:"privateKeyPassword,optional"`
	HostKey            *string  `pulumi:"hostKey,optional"`
	AgentSocketPath    *string  `pulumi:"agentSocketPath,optional"`
	DialErrorLimit     *int     `pulumi:"dialErrorLimit,optional"`
	PerDialTimeout     *int     `pulumi:"perDialTimeout,optional"`
}

func (e *Endpoint) Annotate(a infer.Annotator) {
	a.Describe(&e.Host, "The address of the machine.")
	a.Describe(&e.Port, "The port of its SSH server.")
	a.SetDefault(&e.Port, 22)
	a.Describe(&e.User, "The user to log in as.")
	a.SetDefault(&e.User, "root")
	a.Describe(&e.Password, "Refused by this stand-in.")
	a.Describe(&e.PrivateKey, "The text of the private key.")
	a.Describe(&e.PrivateKeyPassword, "Refused by this stand-in.")
	a.Describe(&e.HostKey, "The public key that the machine has to prove itself by; without it any is accepted.")
	a.Describe(&e.AgentSocketPath, "The socket of an SSH agent. Without it and without a key, that of SSH_AUTH_SOCK.")
	a.Describe(&e.DialErrorLimit, "How many attempts to connect may fail before it is an error; -1 for any number.")
	a.SetDefault(&e.DialErrorLimit, 10)
	a.Describe(&e.PerDialTimeout, "Seconds that each attempt to connect may take; 0 for any time.")
	a.SetDefault(&e.PerDialTimeout, 15)
}

type ProxyConnection struct {
	Endpoint
}

func (c *ProxyConnection) Annotate(a infer.Annotator) {
	a.SetToken("remote", "ProxyConnection")
	a.Describe(&c, "How to log in to a bastion.")
}

type Connection struct {
	Endpoint
	Proxy *ProxyConnection `pulumi:"proxy,optional"`
}

func (c *Connection) Annotate(a infer.Annotator) {
	a.SetToken("remote", "Connection")
	a.Describe(&c, "How to log in to a machine.")
	a.Describe(&c.Proxy, "The bastion that the connection goes through.")
}

var (
	// What a name or address is made of; nothing that OpenSSH could take for an option or a shell for its own.
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9_.:][A-Za-z0-9_.:%-]*$`)
	userPattern = regexp.MustCompile(`^[^\s\x00-\x1f"'\\%-][^\s\x00-\x1f"'\\%]*$`)
)

// problems are those of the connection as far as it is known. In a preview a value may not be known yet, and is empty
// here: that is no problem before the connection is used.
func (c *Connection) problems(used bool) []p.CheckFailure {
	failures := c.Endpoint.problems("connection", used)
	if c.Proxy != nil {
		failures = append(failures, c.Proxy.Endpoint.problems("connection.proxy", used)...)
	}
	return failures
}

func (e *Endpoint) problems(path string, used bool) (failures []p.CheckFailure) {
	refuse := func(property, reason string) {
		failures = append(failures, p.CheckFailure{Property: path + "." + property, Reason: reason})
	}
	given := func(value *string) bool { return value != nil && (used || *value != "") }

	const noPasswords = "this stand-in for the command provider takes no passwords, since OpenSSH cannot be handed " +
		"one safely; use a privateKey without one, or an agent"
	if given(e.Password) {
		refuse("password", noPasswords)
	}
	if given(e.PrivateKeyPassword) {
		refuse("privateKeyPassword", noPasswords)
	}
	if (used || e.Host != "") && !hostPattern.MatchString(e.Host) {
		refuse("host", "must be a name or an address")
	}
	if given(e.User) && !userPattern.MatchString(*e.User) {
		refuse("user", "must be a user's name, without spaces and quotes")
	}
	if port := e.port(); (used || port != 0) && (port < 1 || port > 65535 || port != float64(int(port))) {
		refuse("port", "must be a port, from 1 to 65535")
	}
	if given(e.HostKey) {
		if _, err := parseHostKey(*e.HostKey); err != nil {
			refuse("hostKey", err.Error())
		}
	}
	if given(e.AgentSocketPath) && !filepath.IsAbs(*e.AgentSocketPath) {
		refuse("agentSocketPath", "must be an absolute path")
	}
	return failures
}

func (e *Endpoint) port() float64 { return valueOr(e.Port, 22) }

func (e *Endpoint) user() string { return valueOr(e.User, "root") }

func valueOr[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}
