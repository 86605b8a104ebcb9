# Functions have no more replicas than the plan has room for: by their Deployment, by `kubectl scale`, by their autoscaler.
#
# input.parameters: {"tenants": ["shop"], "functions": [{"namespace": "shop", "name": "checkout", "replicas": 5000}]}
package admission.replica_limits

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

problems contains {"rule": "replicas", "text": text} if {
	some field, value in wanted
	bound := objects.bound("replicas", workload)
	value > bound
	not kept(field, value)
	text := sprintf(
		"spec.%s: %d: above the %d that %s may have: %s; lower it, or raise scaling.max of the function, or scaling.buffer of what keeps room",
		[field, value, bound, workload, "the plan has room for no more"],
	)
}

wanted["replicas"] := objects.it.spec.replicas

wanted["maxReplicas"] := objects.it.spec.maxReplicas

# What was there before is let be, of the same workload: after the maximum was lowered, everything else of it can still change.
kept(field, value) if {
	old := input.review.oldObject.spec
	value <= old[field]
	object.get(old, ["scaleTargetRef", "name"], "") == object.get(objects.it.spec, ["scaleTargetRef", "name"], "")
}

# What is scaled: an autoscaler is named as it likes.
workload := objects.it.spec.scaleTargetRef.name if objects.it.kind == "HorizontalPodAutoscaler"

workload := objects.name if objects.it.kind != "HorizontalPodAutoscaler"
