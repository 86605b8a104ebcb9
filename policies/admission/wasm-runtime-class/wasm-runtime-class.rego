# Functions, which are all that runs in tenants' namespaces, have the RuntimeClass of wasm; nothing else has it.
#
# input.parameters: {"runtimeClassName": "wasmedge", "tenants": ["shop"]}
package admission.wasm_runtime_class

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

class := object.get(objects.pod_spec, "runtimeClassName", "none")

wasm := input.parameters.runtimeClassName

problems contains {"rule": "missing", "text": text} if {
	objects.namespace in input.parameters.tenants
	class != wasm
	text := sprintf(
		"runtimeClassName: %s: functions run as %s: %s; set runtimeClassName: %s",
		[class, wasm, "a container would not have the sandbox, nor the room that the plan has computed", wasm],
	)
}

problems contains {"rule": "misused", "text": text} if {
	not objects.namespace in input.parameters.tenants
	class == wasm
	text := sprintf(
		"runtimeClassName: %s: is for functions alone: %s; leave it out, or deploy it as a function of a tenant",
		[wasm, "here nothing accounts for it"],
	)
}
