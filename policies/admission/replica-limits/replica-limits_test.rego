package admission.replica_limits_test

import data.admission.replica_limits
import data.samples
import future.keywords

parameters := {
	"tenants": ["shop", "billing"],
	"functions": [
		{"namespace": "shop", "name": "checkout", "replicas": 50},
		{"namespace": "shop", "name": "report", "replicas": 5},
	],
}

said(kind, namespace, name, spec) := messages if {
	object := samples.made(kind, namespace, name, spec)
	messages := replica_limits.violation with input as samples.asked(object, parameters)
}

test_by_the_deployment if {
	count(said("Deployment", "shop", "checkout", {"replicas": 50})) == 0
	count(said("Deployment", "shop", "checkout", {"replicas": 51})) == 1
	count(said("Deployment", "shop", "report", {"replicas": 6})) == 1
	count(said("Deployment", "shop", "checkout", {})) == 0
}

test_by_its_scale if {
	count(said("Scale", "shop", "report", {"replicas": 5})) == 0
	count(said("Scale", "shop", "report", {"replicas": 6})) == 1
	count(said("Scale", "shop", "report", {})) == 0
}

test_by_the_autoscaler_of_whatever_name if {
	target := {"scaleTargetRef": {"kind": "Deployment", "name": "report"}}
	count(said("HorizontalPodAutoscaler", "shop", "checkout", object.union(target, {"maxReplicas": 5}))) == 0
	count(said("HorizontalPodAutoscaler", "shop", "checkout", object.union(target, {"maxReplicas": 6}))) == 1
}

test_what_is_no_function_has_the_bound_of_the_largest if {
	count(said("Deployment", "shop", "other", {"replicas": 50})) == 0
	count(said("Deployment", "shop", "other", {"replicas": 51})) == 1
}

test_a_tenant_without_functions_has_none if {
	count(said("Deployment", "billing", "other", {"replicas": 0})) == 0
	count(said("Deployment", "billing", "other", {"replicas": 1})) == 1
}

test_outside_of_tenants_there_is_no_bound if count(said("Deployment", "gateway", "gateway", {"replicas": 80})) == 0

changed(kind, old, new) := messages if {
	review := {"object": samples.made(kind, "shop", "report", new), "oldObject": samples.made(kind, "shop", "report", old)}
	messages := replica_limits.violation with input as {"review": review, "parameters": parameters}
}

test_what_is_above_already_may_stay_or_fall_but_not_rise if {
	every kind in ["Deployment", "Scale"] {
		count(changed(kind, {"replicas": 40}, {"replicas": 40})) == 0
		count(changed(kind, {"replicas": 40}, {"replicas": 30})) == 0
		count(changed(kind, {"replicas": 40}, {"replicas": 41})) == 1
		count(changed(kind, {}, {"replicas": 6})) == 1
	}
}

of(name) := {"maxReplicas": 40, "scaleTargetRef": {"kind": "Deployment", "name": name}}

test_an_autoscaler_does_not_take_its_maximum_to_another if {
	count(changed("HorizontalPodAutoscaler", of("report"), of("report"))) == 0
	count(changed("HorizontalPodAutoscaler", of("checkout"), of("report"))) == 1
}
