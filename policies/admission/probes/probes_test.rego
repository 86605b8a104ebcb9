package admission.probes_test

import data.admission.probes
import data.samples
import future.keywords

ready := {"httpGet": {"path": "/readyz", "port": 80}}

alive := {"httpGet": {"path": "/healthz", "port": 80}}

good := {"name": "c", "readinessProbe": ready, "livenessProbe": alive}

parameters := {"runtimeClassName": "wasmedge", "tenants": ["shop"]}

rules(object) := [violation.details.rule | some violation in found] if {
	found := probes.violation with input as samples.asked(object, parameters)
}

deployment(namespace, container) := samples.deployment(namespace, "d", {"containers": [container]})

changed(change) := deployment("shop", object.union(good, change))

test_probed if rules(deployment("shop", good)) == []

test_missing if {
	rules(deployment("gateway", object.remove(good, {"readinessProbe"}))) == ["readiness"]
	rules(deployment("gateway", object.remove(good, {"livenessProbe"}))) == ["liveness"]
}

test_the_same if rules(deployment("gateway", {"name": "c", "readinessProbe": ready, "livenessProbe": ready})) == ["same"]

test_a_sidecar_is_kept_alive_but_serves_nobody if {
	sidecar := {"name": "s", "restartPolicy": "Always"}
	rules(samples.deployment("gateway", "d", {"initContainers": [sidecar], "containers": [good]})) == ["liveness"]
	rules(samples.deployment("gateway", "d", {"initContainers": [{"name": "first"}], "containers": [good]})) == []
}

test_pods_that_end_are_not_probed if {
	rules(samples.pod("shop", "p", {"restartPolicy": "Never", "containers": [{"name": "c"}]})) == []
	rules(samples.owned("shop", "Job", "j", {"containers": [{"name": "c"}]})) == []
	count(rules(samples.pod("shop", "p", {"containers": [{"name": "c"}]}))) == 2
}

command := {"exec": {"command": ["true"]}}

test_programs_in_wasm_pods if {
	rules(changed({"startupProbe": command})) == ["exec"]
	rules(changed({"lifecycle": {"preStop": command}})) == ["exec"]
	rules(changed({"lifecycle": {"preStop": alive}})) == []
	rules(deployment("gateway", object.union(good, {"startupProbe": command}))) == []
	wasm := {"runtimeClassName": "wasmedge", "containers": [object.union(good, {"lifecycle": {"postStart": command}})]}
	rules(samples.deployment("gateway", "d", wasm)) == ["exec"]
}
