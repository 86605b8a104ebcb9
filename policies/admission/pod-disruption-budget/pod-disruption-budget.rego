# Budgets leave room to evict a pod. That a number fits the autoscaler's minimum is the stack policy's to say: it sees both.
package admission.pod_disruption_budget

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

problems contains {"rule": "no-room", "text": text} if {
	value := objects.it.spec.maxUnavailable
	sprintf("%v", [value]) in {"0", "0%"}
	text := sprintf("spec.maxUnavailable: %v: %s", [value, stops])
}

problems contains {"rule": "no-room", "text": text} if {
	value := objects.it.spec.minAvailable
	percent := to_number(trim_suffix(sprintf("%v", [value]), "%"))
	endswith(sprintf("%v", [value]), "%")
	percent >= 100
	text := sprintf("spec.minAvailable: %v: %s", [value, stops])
}

stops := "lets no pod be evicted: nodes cannot be drained, so K3s cannot be upgraded; use maxUnavailable of 1 or of some percent"

problems contains {"rule": "everything", "text": text} if {
	selector := object.get(objects.it.spec, "selector", {})
	count(object.get(selector, "matchLabels", {})) == 0
	count(object.get(selector, "matchExpressions", [])) == 0
	text := sprintf(
		"spec.selector: empty: %s; select one workload's pods by their labels",
		["it is about every pod of the namespace, and one that a second budget is about cannot be evicted at all"],
	)
}
