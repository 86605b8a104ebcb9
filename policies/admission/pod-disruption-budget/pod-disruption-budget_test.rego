package admission.pod_disruption_budget_test

import data.admission.pod_disruption_budget
import data.samples
import future.keywords

checkout := {"selector": {"matchLabels": {"app.kubernetes.io/name": "checkout"}}}

said(spec) := messages if {
	budget := samples.made("PodDisruptionBudget", "shop", "checkout", spec)
	messages := pod_disruption_budget.violation with input as samples.asked(budget, {})
}

test_room if {
	count(said(object.union(checkout, {"maxUnavailable": "10%"}))) == 0
	count(said(object.union(checkout, {"maxUnavailable": 1}))) == 0
	count(said(object.union(checkout, {"minAvailable": 1}))) == 0
	count(said(object.union(checkout, {"minAvailable": "90%"}))) == 0
}

test_no_room if {
	count(said(object.union(checkout, {"maxUnavailable": 0}))) == 1
	count(said(object.union(checkout, {"maxUnavailable": "0%"}))) == 1
	count(said(object.union(checkout, {"minAvailable": "100%"}))) == 1
}

test_everything if {
	count(said({"maxUnavailable": 1})) == 1
	count(said({"maxUnavailable": 1, "selector": {}})) == 1
	count(said({"maxUnavailable": 1, "selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}})) == 0
}
