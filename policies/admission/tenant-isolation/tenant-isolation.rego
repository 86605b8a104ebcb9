# What a tenant has refers to nothing of another: not in traffic, not by name, not by rights. Secrets, ConfigMaps, accounts and
# scale targets cannot: Kubernetes looks for them in the object's own namespace.
#
# input.parameters: {"tenants": ["shop"], "gateway": "gateway", "networks": ["10.42.0.0/16"]}, those of pods and Services
package admission.tenant_isolation

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

own if objects.namespace in input.parameters.tenants

# Its own, the gateway's, and kube-system, where DNS is.
peers := {objects.namespace, input.parameters.gateway, "kube-system"}

directions := {"ingress": "from", "egress": "to"}

rules contains {"field": field, "others": others, "at": sprintf("spec.%s[%d]", [direction, i])} if {
	own
	some direction, field in directions
	some i, rule in objects.it.spec[direction]
	objects.it.kind == "NetworkPolicy"
	others := object.get(rule, field, [])
}

problems contains {"rule": "peer", "text": text} if {
	some rule in rules
	some peer in rule.others
	selector := peer.namespaceSelector
	not object.get(selector, ["matchLabels", "kubernetes.io/metadata.name"], "") in peers
	text := sprintf(
		"%s.%s: namespaceSelector: selects none of %s by kubernetes.io/metadata.name: %s; name the namespace, or leave it out for its own",
		[rule.at, rule.field, concat(", ", sort(peers)), "it would let traffic through between tenants"],
	)
}

problems contains {"rule": "open", "text": text} if {
	some rule in rules
	count(rule.others) == 0
	text := sprintf("%s: no %s: %s; name who", [rule.at, rule.field, open])
}

problems contains {"rule": "open", "text": text} if {
	some rule in rules
	some peer in rule.others
	endswith(peer.ipBlock.cidr, "/0")
	text := sprintf("%s.%s: ipBlock %s: %s; name the network", [rule.at, rule.field, peer.ipBlock.cidr, open])
}

problems contains {"rule": "open", "text": text} if {
	some rule in rules
	some peer in rule.others
	block := peer.ipBlock
	not endswith(block.cidr, "/0")
	some network in input.parameters.networks
	not apart(block, network)
	text := sprintf(
		"%s.%s: ipBlock %s: reaches into %s, the network of pods or of Services: %s; name the namespace, or put the network into except",
		[rule.at, rule.field, block.cidr, network, "other tenants' are in it too"],
	)
}

# What cannot be read is not apart.
apart(block, network) if net.cidr_intersects(block.cidr, network) == false

apart(block, network) if {
	some part in block.except
	net.cidr_contains(part, network)
}

open := "every address is in it, those of other tenants' pods too"

problems contains {"rule": "external-name", "text": text} if {
	own
	objects.it.spec.type == "ExternalName"
	[_, namespace] := regex.find_all_string_submatch_n(`^[^.]+\.([^.]+)\.svc(?:\.|$)`, lower(objects.it.spec.externalName), 1)[0]
	namespace != objects.namespace
	text := sprintf(
		"spec.externalName: %s: is a Service of namespace %s: %s; call it by way of the gateway",
		[objects.it.spec.externalName, namespace, "it would make another tenant's its own"],
	)
}

# Who has rights in a tenant's namespace: its own accounts and people, and the gateway's, which reads where its pods are.
problems contains {"rule": "subject", "text": text} if {
	own
	some subject in objects.it.subjects
	some namespace in homes(subject)
	not namespace in {objects.namespace, input.parameters.gateway}
	text := sprintf(
		"subjects: %s %s: is of %s: %s; bind an account of %s",
		[subject.kind, subject.name, namespace, "others would have rights on what this tenant has", objects.namespace],
	)
}

# What a tenant's accounts may do elsewhere.
problems contains {"rule": "account-elsewhere", "text": text} if {
	some subject in objects.it.subjects
	some namespace in homes(subject)
	namespace in input.parameters.tenants
	namespace != objects.namespace
	text := sprintf(
		"subjects: %s %s: is of tenant %s: %s; bind it by a RoleBinding in %s",
		[subject.kind, subject.name, namespace, "a tenant has rights in its own namespace alone", namespace],
	)
}

# The namespace that a subject's account is of, by whatever name it is called; `every namespace` where it is all.
homes(subject) := {subject.namespace} if subject.kind == "ServiceAccount"

homes(subject) := {split(subject.name, ":")[2]} if {
	subject.kind in {"User", "Group"}
	regex.match(`^system:serviceaccounts?:`, subject.name)
}

homes(subject) := {"every namespace"} if {
	subject.kind == "Group"
	subject.name == "system:serviceaccounts"
}

problems contains {"rule": "affinity", "text": text} if {
	own
	some kind in ["podAffinity", "podAntiAffinity"]
	walk(objects.pod_spec.affinity[kind], [_, term])
	some field in ["namespaces", "namespaceSelector"]
	reaches_out(field, term[field])
	text := sprintf(
		"affinity.%s: %s: %s; leave it out",
		[kind, field, "where its pods run would tell of, or depend on, other tenants' pods"],
	)
}

reaches_out("namespaces", namespaces) if {
	some namespace in namespaces
	namespace != objects.namespace
}

reaches_out("namespaceSelector", selector) if is_object(selector)
