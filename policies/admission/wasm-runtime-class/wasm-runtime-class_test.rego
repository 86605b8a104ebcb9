package admission.wasm_runtime_class_test

import data.admission.wasm_runtime_class
import data.samples
import future.keywords

said(object) := messages if {
	parameters := {"runtimeClassName": "wasmedge", "tenants": ["shop"]}
	messages := wasm_runtime_class.violation with input as samples.asked(object, parameters)
}

test_functions if {
	count(said(samples.deployment("shop", "d", {"runtimeClassName": "wasmedge"}))) == 0
	count(said(samples.deployment("shop", "d", {}))) == 1
	count(said(samples.pod("shop", "p", {"runtimeClassName": "runc"}))) == 1
}

test_others if {
	count(said(samples.deployment("gateway", "d", {}))) == 0
	count(said(samples.deployment("gateway", "d", {"runtimeClassName": "wasmedge"}))) == 1
}
