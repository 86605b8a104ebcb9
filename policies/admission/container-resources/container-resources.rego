# Containers have requests and limits of CPU, memory and ephemeral storage; those of functions limits within their bounds.
#
# input.parameters: {
#   "tenants": ["shop"],
#   "functions": [{"namespace": "shop", "name": "checkout", "cpu": 0.1, "memory": 67108864}], in cores and bytes
# }
package admission.container_resources

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

sized contains container if some container in objects.pod_spec.containers

sized contains container if some container in objects.pod_spec.initContainers

problems contains {"rule": resource, "text": text} if {
	some container in sized
	some resource in ["cpu", "memory", "ephemeral-storage"]
	some side in ["requests", "limits"]
	lack := lacking(container, side, resource)
	text := sprintf(
		"container %s: resources.%s.%s: %s: %s; set it to what the container was measured to need",
		[container.name, side, resource, lack, "the scheduler and its neighbours cannot reckon with it"],
	)
}

lacking(container, side, resource) := "missing" if not container.resources[side][resource]

# To Kubernetes a limit of nothing is no limit, and a request of nothing none.
lacking(container, side, resource) := sprintf("%v, which counts as none", [amount]) if {
	amount := container.resources[side][resource]
	regex.match(`^[+-]?[0.]+([a-zA-Z].*)?$`, sprintf("%v", [amount]))
}

problems contains {"rule": "bound", "text": text} if {
	some container in sized
	some resource in ["cpu", "memory"]
	bound := objects.bound(resource, objects.workload.name)
	limit := container.resources.limits[resource]
	not within(resource, limit, bound)
	text := sprintf(
		"container %s: resources.limits.%s: %v: above the bound of %s (%s): %s; lower it, or raise resources.limits.%s of the function",
		[
			container.name, resource, limit, objects.workload.name, shown(resource, bound),
			"the plan has reckoned with no more", resource,
		],
	)
}

shown("cpu", cores) := sprintf("%v cores", [cores])

shown("memory", bytes) := sprintf("%s bytes", [format_int(bytes, 10)])

# What cannot be read is not within.
within(resource, limit, bound) if quantity(resource, limit) <= bound

quantity("cpu", text) := units.parse(sprintf("%v", [text]))

quantity("memory", text) := units.parse_bytes(sprintf("%v", [text]))
