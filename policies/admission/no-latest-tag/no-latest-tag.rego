# Images name a version: a tag other than `latest`, or a digest.
package admission.no_latest_tag

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

problems contains {"rule": "no-tag", "text": text(container, "has neither tag nor digest, which means latest")} if {
	some container in objects.containers
	not contains(container.image, "@")
	not contains(last(container.image), ":")
}

problems contains {"rule": "latest", "text": text(container, "has the tag latest")} if {
	some container in objects.containers
	not contains(container.image, "@")
	endswith(last(container.image), ":latest")
}

# What is behind the last slash: a port is before it, a tag is in it.
last(image) := parts[count(parts) - 1] if parts := split(image, "/")

text(container, what) := sprintf(
	"container %s: image %s: %s: %s; name a version, or better a digest (image@sha256:…)",
	[container.name, container.image, what, "it changes under its name, so it cannot be rolled back to"],
)
