# Images of functions are named by digest.
#
# input.parameters.namespaces: ["shop"], none where the stack does not ask for digests
package admission.digest_pinned_images

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

problems contains {"rule": "digest", "text": text} if {
	objects.namespace in input.parameters.namespaces
	some container in objects.containers
	not regex.match(`@sha256:[0-9a-f]{64}$`, container.image)
	text := sprintf(
		"container %s: image %s: has no digest: %s; name it as image@sha256:… (`make function` tells the digest)",
		[container.name, container.image, "its registry may answer with another program than was tested"],
	)
}
