# Objects say what they are, whose, and of which environment.
#
# input.parameters: {"environment": "prod", "tenants": ["shop"]}
package admission.required_labels

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

labels := object.get(objects.it.metadata, "labels", {})

problems contains {"rule": "missing", "text": text} if {
	some label in ["app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of"]
	object.get(labels, label, "") == ""
	text := sprintf("label %s: missing: %s; add it", [label, "dashboards and network policies find objects by it"])
}

problems contains {"rule": "environment", "text": text} if {
	value := object.get(labels, "environment", "missing")
	value != input.parameters.environment
	text := sprintf(
		"label environment: %s: this is %s: %s; set it to %s",
		[value, input.parameters.environment, "it was meant for another cluster", input.parameters.environment],
	)
}

problems contains {"rule": "tenant", "text": text} if {
	tenant in input.parameters.tenants
	value := object.get(labels, "wasm-functions.dev/tenant", "missing")
	value != tenant
	text := sprintf(
		"label wasm-functions.dev/tenant: %s: it belongs to %s: %s; set it to %s",
		[value, tenant, "usage would be another's", tenant],
	)
}

tenant := objects.name if objects.it.kind == "Namespace"

tenant := objects.namespace if objects.it.kind != "Namespace"
