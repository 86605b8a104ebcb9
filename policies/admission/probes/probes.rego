# Containers that serve have a readiness and a liveness probe that differ; wasm pods have none that starts a program.
#
# input.parameters: {"runtimeClassName": "wasmedge", "tenants": ["shop"]}
package admission.probes

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

# Pods that end are not probed: a Job's, and those that nobody starts again.
serving if {
	not objects.workload.kind == "Job"
	object.get(objects.pod_spec, "restartPolicy", "Always") == "Always"
}

problems contains {"rule": "readiness", "text": text} if {
	serving
	some container in objects.pod_spec.containers
	not container.readinessProbe
	text := sprintf(
		"container %s: readinessProbe: missing: %s; ask an endpoint that answers once it can serve",
		[container.name, "requests would reach it before it can answer them"],
	)
}

problems contains {"rule": "liveness", "text": text} if {
	serving
	some container in objects.lasting
	not container.livenessProbe
	text := sprintf(
		"container %s: livenessProbe: missing: %s; ask an endpoint that answers as long as it is not stuck",
		[container.name, "nobody would start it again when it is stuck"],
	)
}

problems contains {"rule": "same", "text": text} if {
	serving
	some container in objects.pod_spec.containers
	container.livenessProbe == container.readinessProbe
	text := sprintf(
		"container %s: livenessProbe: is the readinessProbe: %s; ask another endpoint, or allow more failures",
		[container.name, "it would be started again when it is only busy"],
	)
}

wasm if objects.pod_spec.runtimeClassName == input.parameters.runtimeClassName

wasm if objects.namespace in input.parameters.tenants

problems contains {"rule": "exec", "text": text} if {
	wasm
	some container in objects.containers
	some field, value in hooks(container)
	value.exec
	text := sprintf(
		"container %s: %s.exec: %s; use httpGet",
		[container.name, field, "a wasm pod has no program that it could start, so it fails each time"],
	)
}

# Whatever the kubelet calls on its own, by field.
hooks(container) := object.union(
	{field: container[field] | some field in ["startupProbe", "readinessProbe", "livenessProbe"]},
	{concat(".", ["lifecycle", field]): container.lifecycle[field] | some field in ["postStart", "preStop"]},
)
