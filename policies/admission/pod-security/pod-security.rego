# What Pod Security calls `restricted`, with messages that name the field, and root file systems that cannot be written.
# It sees also what the namespace's label does not refuse: Deployments, which that only warns of.
package admission.pod_security

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

spec := objects.pod_spec

problems contains {"rule": "host-namespaces", "text": text} if {
	some field in ["hostNetwork", "hostPID", "hostIPC"]
	spec[field] == true
	text := sprintf("%s: true: it would see the node's own and other pods'; leave it out", [field])
}

problems contains {"rule": "host-path", "text": text} if {
	some volume in spec.volumes
	text := sprintf(
		"volume %s: hostPath %s: files of the node are a way onto it; use a volume of Kubernetes'",
		[volume.name, volume.hostPath.path],
	)
}

allowed_volumes := {
	"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral",
	"persistentVolumeClaim", "projected", "secret",
}

problems contains {"rule": "volume-type", "text": text} if {
	some volume in spec.volumes
	some type, _ in object.remove(volume, {"name", "hostPath"})
	not type in allowed_volumes
	text := sprintf(
		"volume %s: %s: is of no type that pods may have: %s; use one of %s",
		[volume.name, type, "its driver runs with the node's rights", concat(", ", sort(allowed_volumes))],
	)
}

# On the node's network every port is the node's: that is one thing to say, not one for each.
problems contains {"rule": "host-port", "text": text} if {
	not spec.hostNetwork
	some container in objects.containers
	some port in container.ports
	port.hostPort > 0
	text := sprintf(
		"container %s: hostPort %d: it is reached on the node's address, past the gateway; leave it out, a Service finds pods",
		[container.name, port.hostPort],
	)
}

problems contains {"rule": "privileged", "text": text(container, "privileged: true", "it is root on the node", "leave it out")} if {
	some container in objects.containers
	container.securityContext.privileged
}

problems contains {
	"rule": "privilege-escalation",
	"text": text(container, "allowPrivilegeEscalation: not false", "a setuid program in it gets rights", "set it to false"),
} if {
	some container in objects.containers
	not is(container, "allowPrivilegeEscalation", false)
}

problems contains {
	"rule": "capabilities",
	"text": text(container, "capabilities.drop: lacks ALL", "it keeps some of root's", "drop ALL"),
} if {
	some container in objects.containers
	not "ALL" in object.get(container, ["securityContext", "capabilities", "drop"], [])
}

problems contains {
	"rule": "capabilities",
	"text": text(container, sprintf("capabilities.add: %s", [added]), "it is a part of root's rights", "leave it out"),
} if {
	some container in objects.containers
	some added in container.securityContext.capabilities.add
	added != "NET_BIND_SERVICE"
}

problems contains {
	"rule": "non-root",
	"text": text(container, "runAsNonRoot: not true", "whoever breaks out of it is root on the node", "set it to true"),
} if {
	some container in objects.containers
	not is(container, "runAsNonRoot", true)
}

problems contains {
	"rule": "non-root",
	"text": text(container, "runAsUser: 0", "whoever breaks out of it is root on the node", "name another user"),
} if {
	some container in objects.containers
	setting(container, "runAsUser") == 0
}

problems contains {
	"rule": "seccomp",
	"text": text(container, "seccompProfile: none", "every system call is open to it", "set type: RuntimeDefault"),
} if {
	some container in objects.containers
	not confined(container)
}

problems contains {
	"rule": "proc-mount",
	"text": text(container, "procMount: not Default", "it sees what /proc hides", "leave it out"),
} if {
	some container in objects.containers
	container.securityContext.procMount != "Default"
}

safe_sysctls := {
	"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
	"net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
}

problems contains {"rule": "sysctls", "text": text} if {
	some sysctl in spec.securityContext.sysctls
	not sysctl.name in safe_sysctls
	text := sprintf("sysctl %s: it reaches past the pod; leave it out", [sysctl.name])
}

problems contains {"rule": "selinux", "text": text} if {
	some options in selinux
	some field in [field | some field in ["user", "role"]; object.get(options, field, "") != ""]
	text := sprintf("seLinuxOptions.%s: %s: it would leave the label of containers; leave it out", [field, options[field]])
}

problems contains {"rule": "selinux", "text": text} if {
	some options in selinux
	not object.get(options, "type", "") in {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
	text := sprintf("seLinuxOptions.type: %s: it would leave the label of containers; leave it out", [options.type])
}

selinux contains spec.securityContext.seLinuxOptions

selinux contains container.securityContext.seLinuxOptions if some container in objects.containers

problems contains {
	"rule": "apparmor",
	"text": text(container, "appArmorProfile: Unconfined", "nothing holds it back any more", "leave it out"),
} if {
	some container in objects.containers
	setting(container, "appArmorProfile").type == "Unconfined"
}

problems contains {"rule": "host-process", "text": "windowsOptions.hostProcess: true: it runs on the node itself; leave it out"} if {
	some container in objects.containers
	setting(container, "windowsOptions").hostProcess == true
}

problems contains {
	"rule": "root-file-system",
	"text": text(
		container, "readOnlyRootFilesystem: not true", "what breaks in can leave programs there",
		"set it to true, and mount an emptyDir with a limit where it writes",
	),
} if {
	some container in objects.containers
	not container.securityContext.readOnlyRootFilesystem == true
}

confined(container) if setting(container, "seccompProfile").type in {"RuntimeDefault", "Localhost"}

is(container, field, value) if setting(container, field) == value

# A container's setting, or the pod's where it has none.
setting(container, field) := value if value := container.securityContext[field]

setting(container, field) := spec.securityContext[field] if {
	object.get(container, ["securityContext", field], null) == null
}

text(container, what, why, fix) := sprintf("container %s: securityContext.%s: %s; %s", [container.name, what, why, fix])
