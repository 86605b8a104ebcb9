# No pod gets a token that it did not ask for, a function none at all.
#
# input.parameters.tenants: ["shop"]
package admission.service_account_tokens

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

problems contains {"rule": "pod", "text": text} if {
	spec := objects.pod_spec
	not spec.automountServiceAccountToken == false
	text := sprintf("automountServiceAccountToken: not false: %s; %s", [why, fix])
}

# The account `default` comes with its namespace, before anybody could set it; pods have to say it themselves anyway.
problems contains {"rule": "account", "text": text} if {
	objects.it.kind == "ServiceAccount"
	objects.name != "default"
	not objects.it.automountServiceAccountToken == false
	text := sprintf("automountServiceAccountToken: not false: %s; %s", [why, fix])
}

problems contains {"rule": "volume", "text": text} if {
	objects.namespace in input.parameters.tenants
	some volume in objects.pod_spec.volumes
	some source in volume.projected.sources
	source.serviceAccountToken
	text := sprintf("volume %s: serviceAccountToken: %s; leave it out: functions have no business with the API", [volume.name, why])
}

why := "whoever breaks in could ask the API with it"

fix := "set it to false; what calls the API mounts a token as a projected volume with expirationSeconds"
