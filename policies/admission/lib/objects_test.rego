package lib.objects_test

import data.lib.objects
import data.samples
import future.keywords

title(object) := found if {
	found := objects.title with input as samples.asked(object, {})
}

test_titles if {
	title(samples.pod("shop", "p", {})) == "Pod shop/p"
	title({"kind": "ClusterRole", "metadata": {"name": "r"}}) == "ClusterRole r"
	title(samples.owned("shop", "ReplicaSet", "checkout-1", {})) == "Pod shop/checkout-1-"
	title({"kind": "Pod", "metadata": {"namespace": "shop"}}) == "Pod shop/(unnamed)"
}

spec_of(object) := found if {
	found := objects.pod_spec with input as samples.asked(object, {})
}

test_what_makes_pods if {
	spec := {"containers": []}
	every kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"] {
		spec_of(samples.made(kind, "shop", "x", {"template": {"spec": spec}})) == spec
	}
	spec_of(samples.pod("shop", "x", spec)) == spec
	spec_of(samples.made("CronJob", "shop", "x", {"jobTemplate": {"spec": {"template": {"spec": spec}}}})) == spec
	not spec_of(samples.made("Service", "shop", "x", spec))
}

workload(object) := found if {
	found := objects.workload with input as samples.asked(object, {})
}

test_what_pods_belong_to if {
	workload(samples.owned("shop", "ReplicaSet", "checkout-7d9c5b6f8", {})) == {"kind": "Deployment", "name": "checkout"}
	workload(samples.owned("shop", "DaemonSet", "node-exporter", {})) == {"kind": "DaemonSet", "name": "node-exporter"}
	workload(samples.pod("shop", "p", {})) == {"kind": "Pod", "name": "p"}

	# Owned, but not controlled.
	mine := {"kind": "Pod", "metadata": {"name": "p", "ownerReferences": [{"kind": "DaemonSet", "name": "node-exporter"}]}}
	workload(mine) == {"kind": "Pod", "name": "p"}
}

exempt(object, exemption) if {
	objects.exempt("a") with input as samples.asked(object, {"exemptions": [exemption]})
}

test_exemptions if {
	pod := samples.pod("shop", "p", {})
	exempt(pod, {"kind": "Pod", "namespace": "shop", "name": "p", "allows": ["a"]})
	exempt(pod, {"kind": "Pod", "namespace": "shop", "name": "*", "allows": ["b", "a"]})
	not exempt(pod, {"kind": "Pod", "namespace": "shop", "name": "p", "allows": ["b"]})
	not exempt(pod, {"kind": "Pod", "namespace": "gateway", "name": "p", "allows": ["a"]})
	not exempt(pod, {"kind": "Pod", "name": "p", "allows": ["a"]})
	not exempt(pod, {"kind": "Job", "namespace": "shop", "name": "p", "allows": ["a"]})
	not exempt(pod, {"kind": "Pod", "namespace": "shop", "name": "pp", "allows": ["a"]})
}

leaving(kind, spec) := object.union(
	samples.made(kind, "shop", "x", spec),
	{"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
)

test_what_is_being_deleted_loses_its_finalizers if {
	every kind in ["Pod", "Service", "NetworkPolicy"] {
		old := object.union(leaving(kind, {"a": 1}), {"metadata": {"finalizers": ["f"]}, "status": {"b": 1}})
		changed := {"object": leaving(kind, {"a": 1}), "oldObject": old}
		objects.exempt("a") with input as {"review": changed, "parameters": {}}
	}
}

test_until_then_it_is_in_force if {
	not objects.exempt("a") with input as samples.asked(leaving("Service", {"a": 1}), {})
	changed := {"object": leaving("Service", {"a": 2}), "oldObject": leaving("Service", {"a": 1})}
	not objects.exempt("a") with input as {"review": changed, "parameters": {}}
	same := {"object": samples.pod("shop", "x", {"a": 1}), "oldObject": samples.pod("shop", "x", {"a": 1})}
	not objects.exempt("a") with input as {"review": same, "parameters": {}}
}

test_the_audit_passes_over_a_deployments_replica_sets if {
	owner := {"kind": "Deployment", "name": "checkout", "controller": true}
	owned := {"kind": "ReplicaSet", "metadata": {"namespace": "shop", "name": "checkout-7d9", "ownerReferences": [owner]}}
	objects.exempt("a") with input as samples.asked(owned, {})

	alone := samples.made("ReplicaSet", "shop", "checkout", {})
	not objects.exempt("a") with input as samples.asked(alone, {})

	by_hand := {"review": {"object": owned, "userInfo": {"username": "alice"}}, "parameters": {}}
	not objects.exempt("a") with input as by_hand
}
