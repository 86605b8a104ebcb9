package main

import (
	"strings"
	"testing"
)

const (
	ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDrrhBaXA4nvUHBvj0m0NzXuAJZTB1PHrRYWtFEx6Gqb"
	secret  = "a-key-that-nobody-may-see"
)

func of[T any](value T) *T { return &value }

func TestArgumentsNameFilesAndTheCommandAlone(t *testing.T) {
	got := files{"/run/x"}.arguments("-n 'a b'")
	want := []string{"-F", "/run/x/config", "-E", "/run/x/target.log", "--", "target", "-n 'a b'"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func settings(t *testing.T, c *Connection, environment map[string]string, agent string) string {
	t.Helper()
	text, err := files{"/run/x%y's"}.settings(c, environment, "/usr/bin/ssh", agent)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func expect(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

func expectNot(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(text, word) {
			t.Errorf("%q in\n%s", word, text)
		}
	}
}

func TestSettingsOfAMachineWithKeyAndHostKey(t *testing.T) {
	c := &Connection{Endpoint: Endpoint{
		Host: "fe80::1%eth0", Port: of(2222.0), User: of("deploy"), PrivateKey: of(secret), HostKey: of(ed25519),
	}}
	text := settings(t, c, nil, "/tmp/agent")
	expect(t, text,
		"Host target", `  HostName "fe80::1%%eth0"`, "  HostKeyAlias target", "  Port 2222", `  User "deploy"`,
		"  ConnectTimeout 15", "  StrictHostKeyChecking yes", `  UserKnownHostsFile "/run/x%%y's/target.known_hosts"`,
		`  IdentityFile "/run/x%%y's/target.key"`, "  IdentitiesOnly yes", "  IdentityAgent none", "  BatchMode yes",
		`  LocalCommand : >'/run/x%%y'\''s/target.entered'`, "  PreferredAuthentications publickey")
	expectNot(t, text, secret, "ssh-ed25519", "ProxyCommand", "SetEnv")
}

func TestSettingsWithoutHostKeyTrustAnyAndRememberNone(t *testing.T) {
	text := settings(t, &Connection{Endpoint: Endpoint{Host: "h", PrivateKey: of(secret)}}, nil, "")
	expect(t, text, "  StrictHostKeyChecking no", "  UserKnownHostsFile /dev/null", "  GlobalKnownHostsFile none")
}

func TestSettingsWithoutAKeyOfferTheAgentsAndNotThoseOfTheUser(t *testing.T) {
	text := settings(t, &Connection{Endpoint: Endpoint{Host: "h"}}, nil, "/tmp/agent")
	expect(t, text, "  IdentityFile none", "  IdentitiesOnly no", `  IdentityAgent "/tmp/agent"`)
	text = settings(t, &Connection{Endpoint: Endpoint{Host: "h"}}, nil, "")
	expect(t, text, "  IdentityFile none", "  IdentitiesOnly yes", "  IdentityAgent none")
	named := &Connection{Endpoint: Endpoint{Host: "h", PrivateKey: of(secret), AgentSocketPath: of("/run/agent")}}
	expect(t, settings(t, named, nil, "/tmp/agent"), "  IdentitiesOnly no", `  IdentityAgent "/run/agent"`)
}

func TestSettingsThroughABastion(t *testing.T) {
	c := &Connection{
		Endpoint: Endpoint{Host: "10.0.0.2", PrivateKey: of("one"), HostKey: of(ed25519), PerDialTimeout: of(5)},
		Proxy: &ProxyConnection{Endpoint{
			Host: "bastion.example", Port: of(2022.0), PrivateKey: of("other"), HostKey: of(ed25519), PerDialTimeout: of(7),
		}},
	}
	text := settings(t, c, nil, "")
	expect(t, text,
		"Host bastion", `  HostName "bastion.example"`, "  Port 2022", "  ConnectTimeout 7",
		`  IdentityFile "/run/x%%y's/bastion.key"`, `  UserKnownHostsFile "/run/x%%y's/bastion.known_hosts"`,
		"Host target", "  Port 22", "  ConnectTimeout 12", `  IdentityFile "/run/x%%y's/target.key"`,
		`  ProxyCommand '/usr/bin/ssh' '-F' '/run/x%%y'\''s/config' '-E' '/run/x%%y'\''s/bastion.log' `+
			`-W '[%h]:%p' -- bastion`)
	if strings.Index(text, "ProxyCommand") < strings.Index(text, "Host target") {
		t.Error("the bastion would be reached through itself")
	}
	c.Proxy.PerDialTimeout = of(0)
	expectNot(t, settings(t, c, nil, ""), "ConnectTimeout")
}

func TestVariablesAreOneLineInOrderAndQuoted(t *testing.T) {
	text := settings(t, &Connection{Endpoint: Endpoint{Host: "h"}}, map[string]string{"B": `say "\a" # x`, "A": "1"}, "")
	expect(t, text, `  SetEnv "A=1" "B=say \"\\a\" # x"`)
}

func TestVariablesThatCannotBeSentAreRefusedByNameAlone(t *testing.T) {
	for name, value := range map[string]string{"A": "hidden\nlines", "B": "hidden\rreturn", "not a name": "hidden"} {
		_, err := setEnv(map[string]string{name: value})
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestHostKeyIsReadFromAPublicKeysFileAndFromAScan(t *testing.T) {
	for _, text := range []string{ed25519, ed25519 + " root@host\n", "10.0.0.1 " + ed25519, "  " + ed25519 + "  "} {
		if line, err := knownHosts("target", text); err != nil || line != "target "+ed25519+"\n" {
			t.Errorf("%q: %q, %v", text, line, err)
		}
	}
	type_, blob, _ := strings.Cut(ed25519, " ")
	wrong := []string{"", type_, blob, "ssh-rsa " + blob, type_ + " AAAA", ed25519 + "\n" + ed25519, "a b " + ed25519}
	for _, text := range wrong {
		if _, err := parseHostKey(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestKeyFileHasLinesThatOpenSSHReads(t *testing.T) {
	for _, key := range []string{"a\nb", "a\r\nb\r\n", "\n a\nb \n\n"} {
		if got := keyFile(key); got != "a\nb\n" {
			t.Errorf("%q: %q", key, got)
		}
	}
}

func TestShellQuote(t *testing.T) {
	if got := shellQuote(`a'b $c`); got != `'a'\''b $c'` {
		t.Error(got)
	}
}

func TestConnectionProblems(t *testing.T) {
	good := func() *Connection { return &Connection{Endpoint: Endpoint{Host: "h", PrivateKey: of(secret)}} }
	bastion := func(login Endpoint) *ProxyConnection {
		login.Host = "b"
		return &ProxyConnection{login}
	}
	cases := map[string]func(*Connection){
		"connection.password":           func(c *Connection) { c.Password = of("p") },
		"connection.privateKeyPassword": func(c *Connection) { c.PrivateKeyPassword = of("p") },
		"connection.proxy.password":     func(c *Connection) { c.Proxy = bastion(Endpoint{Password: of("p")}) },
		"connection.proxy.privateKeyPassword": func(c *Connection) {
			c.Proxy = bastion(Endpoint{PrivateKeyPassword: of("p")})
		},
		"connection.host":            func(c *Connection) { c.Host = "-oProxyCommand=x" },
		"connection.user":            func(c *Connection) { c.User = of("a b") },
		"connection.port":            func(c *Connection) { c.Port = of(65536.0) },
		"connection.hostKey":         func(c *Connection) { c.HostKey = of("nonsense") },
		"connection.agentSocketPath": func(c *Connection) { c.AgentSocketPath = of("$HOME/agent") },
	}
	if failures := good().problems(true); len(failures) > 0 {
		t.Fatal(failures)
	}
	for property, spoil := range cases {
		c := good()
		spoil(c)
		failures := c.problems(false)
		if len(failures) != 1 || failures[0].Property != property {
			t.Errorf("%s: %v", property, failures)
		}
	}
}

func TestWhatIsNotKnownYetIsNoProblemBeforeItIsUsed(t *testing.T) {
	unknown := &Connection{Endpoint: Endpoint{Host: "", Port: of(0.0), User: of(""), Password: of(""), HostKey: of("")}}
	if failures := unknown.problems(false); len(failures) > 0 {
		t.Error(failures)
	}
	// An empty host key must not become one that is not given.
	if failures := unknown.problems(true); len(failures) != 5 {
		t.Error(failures)
	}
}
