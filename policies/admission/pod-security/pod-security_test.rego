package admission.pod_security_test

import data.admission.pod_security
import data.samples
import future.keywords

locked := {
	"allowPrivilegeEscalation": false,
	"capabilities": {"drop": ["ALL"]},
	"readOnlyRootFilesystem": true,
}

pod_context := {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}

# A container that differs from a locked one in this.
container(changed) := {"name": "c", "securityContext": object.union(locked, changed)}

spec(changed) := object.union({"securityContext": pod_context, "containers": [container({})]}, changed)

rules(changed) := {violation.details.rule | some violation in found} if {
	found := pod_security.violation with input as samples.asked(samples.pod("shop", "p", spec(changed)), {})
}

with_container(changed) := {"containers": [container(changed)]}

test_a_locked_pod if count(rules({})) == 0

test_nodes_namespaces if {
	rules({"hostNetwork": true}) == {"host-namespaces"}
	rules({"hostPID": true}) == {"host-namespaces"}
	rules({"hostIPC": true}) == {"host-namespaces"}
}

test_volumes if {
	rules({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}) == {"host-path"}
	rules({"volumes": [{"name": "v", "nfs": {"server": "s"}}]}) == {"volume-type"}
	count(rules({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "secret": {}}]})) == 0
}

test_ports if {
	port := {"ports": [{"containerPort": 80, "hostPort": 80}]}
	rules({"containers": [object.union(container({}), port)]}) == {"host-port"}
	rules({"hostNetwork": true, "containers": [object.union(container({}), port)]}) == {"host-namespaces"}
}

test_privileges if {
	rules(with_container({"privileged": true})) == {"privileged"}
	rules(with_container({"allowPrivilegeEscalation": true})) == {"privilege-escalation"}
	rules(with_container({"capabilities": {"drop": ["NET_RAW"]}})) == {"capabilities"}
	rules(with_container({"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}})) == {"capabilities"}
	count(rules(with_container({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}))) == 0
	rules(with_container({"readOnlyRootFilesystem": false})) == {"root-file-system"}
}

test_users if {
	rules(with_container({"runAsNonRoot": false})) == {"non-root"}
	rules(with_container({"runAsUser": 0})) == {"non-root"}
	rules({"securityContext": {"runAsNonRoot": true, "runAsUser": 0, "seccompProfile": {"type": "Localhost"}}}) == {"non-root"}
}

test_profiles if {
	rules(with_container({"seccompProfile": {"type": "Unconfined"}})) == {"seccomp"}
	rules(with_container({"appArmorProfile": {"type": "Unconfined"}})) == {"apparmor"}
	rules(with_container({"procMount": "Unmasked"})) == {"proc-mount"}
	rules(with_container({"windowsOptions": {"hostProcess": true}})) == {"host-process"}
	rules(with_container({"seLinuxOptions": {"type": "spc_t"}})) == {"selinux"}
	rules({"securityContext": object.union(pod_context, {"seLinuxOptions": {"user": "root"}})}) == {"selinux"}
	rules({"securityContext": object.union(pod_context, {"sysctls": [{"name": "kernel.msgmax"}]})}) == {"sysctls"}
	count(rules({"securityContext": object.union(pod_context, {"sysctls": [{"name": "net.ipv4.tcp_syncookies"}]})})) == 0
}

test_every_sort_of_container if {
	rules({"initContainers": [container({"privileged": true})]}) == {"privileged"}
	rules({"ephemeralContainers": [container({"privileged": true})]}) == {"privileged"}
}

test_a_bare_pod_is_told_each_thing if {
	bare := samples.pod("shop", "p", {"containers": [{"name": "c"}]})
	found := pod_security.violation with input as samples.asked(bare, {})
	count(found) == 5
}
