# Images come from registries that the stack allows: the tenants' in tenants' namespaces, the platform's elsewhere.
#
# input.parameters: {
#   "tenants": ["shop"],
#   "tenantRegistries": ["registry.example.com/"],      ending with `/`: whatever is below
#   "platformRegistries": ["docker.io/library/traefik"], else: this repository, at any tag or digest
# }
package admission.allowed_registries

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

problems contains {"rule": "registry", "text": text} if {
	some container in objects.containers
	not allowed(container.image)
	text := sprintf(
		"container %s: image %s: comes from no registry that this namespace may use (%s): %s; %s",
		[
			container.name, container.image, objects.words(registries), "whoever pushes there would decide what runs here",
			"push it to one of these, or add its registry to the stack's (config admission.registries for functions)",
		],
	)
}

registries := input.parameters.tenantRegistries if objects.namespace in input.parameters.tenants

registries := input.parameters.platformRegistries if not objects.namespace in input.parameters.tenants

allowed(image) if {
	some registry in registries
	begins(full(image), full(registry))
}

begins(image, folder) if {
	endswith(folder, "/")
	startswith(image, folder)
}

begins(image, repository) if image == repository

begins(image, repository) if {
	some separator in [":", "@"]
	startswith(image, concat("", [repository, separator]))
}

# The image as containerd resolves it: a name without a host is Docker Hub's, one without a folder an official image there.
full(image) := image if has_host(image)

full(image) := concat("", ["docker.io/", image]) if {
	not has_host(image)
	contains(image, "/")
}

full(image) := concat("", ["docker.io/library/", image]) if not contains(image, "/")

has_host(image) if {
	contains(image, "/")
	regex.match(`[.:]|^localhost$`, split(image, "/")[0])
}
