package admission.container_resources_test

import data.admission.container_resources
import data.samples
import future.keywords

limits := {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "16Mi"}

with_limits(changed) := {
	"name": "function",
	"resources": {"requests": limits, "limits": object.union(limits, changed)},
}

parameters := {
	"tenants": ["shop", "billing"],
	"functions": [
		{"namespace": "shop", "name": "checkout", "cpu": 0.1, "memory": 67108864},
		{"namespace": "shop", "name": "report", "cpu": 2, "memory": 134217728},
	],
	"exemptions": [{
		"kind": "Deployment",
		"namespace": "metallb-system",
		"name": "controller",
		"allows": ["ephemeral-storage"],
	}],
}

said(object) := messages if {
	messages := container_resources.violation with input as samples.asked(object, parameters)
}

function(name, changed) := samples.deployment("shop", name, {"containers": [with_limits(changed)]})

test_a_function_at_its_bounds if count(said(function("checkout", {}))) == 0

test_quantities_are_compared_by_value if {
	count(said(function("checkout", {"cpu": 0.1, "memory": 67108864}))) == 0
	count(said(function("checkout", {"cpu": "0.101"}))) == 1
	count(said(function("checkout", {"memory": "65Mi"}))) == 1
	count(said(function("checkout", {"memory": "67108865"}))) == 1
}

test_what_cannot_be_read_is_refused if count(said(function("checkout", {"memory": "much"}))) == 1

test_what_is_no_function_has_the_bounds_of_the_largest if {
	count(said(function("other", {"cpu": "2"}))) == 0
	count(said(function("other", {"cpu": "3"}))) == 1
}

test_a_tenant_without_functions_has_room_for_nothing if {
	count(said(samples.deployment("billing", "other", {"containers": [with_limits({})]}))) == 2
}

test_each_missing_one_is_named if {
	bare := {"initContainers": [{"name": "first"}], "containers": [with_limits({})]}
	count(said(samples.deployment("shop", "checkout", bare))) == 6
}

test_nothing_counts_as_none if {
	every nothing in ["0", 0, "0.0", "00"] {
		every resource in ["cpu", "memory", "ephemeral-storage"] {
			count(said(function("checkout", {resource: nothing}))) == 1
		}
	}
	unasked := {"name": "function", "resources": {"requests": object.union(limits, {"cpu": "0"}), "limits": limits}}
	count(said(samples.deployment("monitoring", "loki", {"containers": [unasked]}))) == 1
	every little in ["1m", "0.01", "10m", 0.1] {
		count(said(function("checkout", {"cpu": little}))) == 0
	}
}

test_outside_of_tenants_there_is_no_bound if {
	large := {"containers": [with_limits({"cpu": "64", "memory": "1Ti"})]}
	count(said(samples.deployment("monitoring", "prometheus", large))) == 0
}

test_a_pod_is_exempt_by_what_controls_it if {
	half := {"cpu": "1", "memory": "1Gi"}
	container := {"name": "controller", "resources": {"requests": half, "limits": half}}
	spec := {"containers": [container]}
	count(said(samples.deployment("metallb-system", "controller", spec))) == 0
	count(said(samples.owned("metallb-system", "ReplicaSet", "controller-5d4f8c7b9", spec))) == 0
	count(said(samples.owned("metallb-system", "ReplicaSet", "other-5d4f8c7b9", spec))) == 2
	count(said(samples.owned("gateway", "ReplicaSet", "controller-5d4f8c7b9", spec))) == 2
	count(said(samples.pod("metallb-system", "controller", spec))) == 2
}
