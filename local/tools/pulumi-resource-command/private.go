package main

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	privatePrefix = "pulumi-command-"
	// Held by the process that uses the folder: nobody holds the one of a process that was killed.
	lockFile = "lock"
	// A folder is a moment older than its lock.
	lockDelay = time.Minute
)

// privateParent is where secrets are written for OpenSSH to read: in memory where there is such a place.
func privateParent() string {
	if folder := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(folder) {
		if info, err := os.Stat(folder); err == nil && info.IsDir() && writable(folder) {
			return folder
		}
	}
	return os.TempDir()
}

func writable(folder string) bool {
	const write = 2
	return syscall.Access(folder, write) == nil
}

// makePrivate makes a folder that only this user can look into. What it returns removes it.
func makePrivate(parent string) (files, func(), error) {
	folder, err := os.MkdirTemp(parent, privatePrefix)
	if err != nil {
		return files{}, nil, err
	}
	lock, err := os.OpenFile(filepath.Join(folder, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	remove := func() {
		_ = os.RemoveAll(folder)
		_ = lock.Close()
	}
	if err != nil {
		remove()
		return files{}, nil, err
	}
	return files{folder}, remove, nil
}

// removeAbandoned removes what processes that were killed have left, keys among it.
func removeAbandoned(parent string) {
	folders, _ := filepath.Glob(filepath.Join(parent, privatePrefix+"*"))
	for _, folder := range folders {
		info, err := os.Lstat(folder)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < lockDelay || info.Mode().Perm() != 0o700 {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Getuid() {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(folder, lockFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil && !os.IsNotExist(err) {
			continue
		}
		if err != nil || syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(folder)
		}
		_ = lock.Close()
	}
}

// write makes the files of a connection.
func (f files) write(c *Connection, environment map[string]string, ssh, agent string) error {
	settings, err := f.settings(c, environment, ssh, agent)
	if err != nil {
		return err
	}
	contents := map[string]string{f.config(): settings}
	add := func(machine string, e *Endpoint) error {
		if e.PrivateKey != nil {
			contents[f.key(machine)] = keyFile(*e.PrivateKey)
		}
		if e.HostKey == nil {
			return nil
		}
		contents[f.hostKey(machine)], err = knownHosts(machine, *e.HostKey)
		return err
	}
	if err := add(targetName, &c.Endpoint); err != nil {
		return err
	}
	if c.Proxy != nil {
		if err := add(bastionName, &c.Proxy.Endpoint); err != nil {
			return err
		}
	}
	for file, content := range contents {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// forget removes what an earlier attempt has told.
func (f files) forget() {
	for _, machine := range []string{targetName, bastionName} {
		_ = os.Remove(f.log(machine))
		_ = os.Remove(f.entered(machine))
	}
}

func (f files) hasEntered(machine string) bool {
	_, err := os.Stat(f.entered(machine))
	return err == nil
}

func (f files) logOf(machine string) string {
	text, _ := os.ReadFile(f.log(machine))
	return string(text)
}
