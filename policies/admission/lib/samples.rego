# Objects for the tests of policies, and how Gatekeeper asks about them.
package samples

import future.keywords

asked(object, parameters) := {"review": {"object": object}, "parameters": parameters}

made(kind, namespace, name, spec) := {
	"kind": kind,
	"metadata": {"namespace": namespace, "name": name},
	"spec": spec,
}

pod(namespace, name, spec) := made("Pod", namespace, name, spec)

deployment(namespace, name, spec) := made("Deployment", namespace, name, {"template": {"spec": spec}})

# A pod that something controls.
owned(namespace, kind, name, spec) := {
	"kind": "Pod",
	"metadata": {
		"namespace": namespace,
		"generateName": concat("", [name, "-"]),
		"ownerReferences": [{"kind": kind, "name": name, "controller": true}],
	},
	"spec": spec,
}
