# The gateway's Service alone is reached from outside of the cluster.
#
# input.parameters: {"namespace": "gateway", "name": "api-gateway"}
package admission.public_services

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

problems contains {"rule": "type", "text": text} if {
	type := objects.it.spec.type
	type in {"NodePort", "LoadBalancer"}
	not gateway
	text := sprintf(
		"spec.type: %s: only %s/%s may be reached from outside: %s; make it ClusterIP, and add a route to the gateway",
		[type, input.parameters.namespace, input.parameters.name, "this way in has no authorization and no limits"],
	)
}

gateway if {
	objects.namespace == input.parameters.namespace
	objects.name == input.parameters.name
}

# Not even the gateway's: whoever names an address takes it over in the whole cluster (CVE-2020-8554).
problems contains {"rule": "external-ips", "text": text} if {
	addresses := objects.it.spec.externalIPs
	count(addresses) > 0
	text := sprintf(
		"spec.externalIPs: %s: %s; leave it out",
		[concat(", ", addresses), "nodes would send this Service what is meant for these addresses"],
	)
}
