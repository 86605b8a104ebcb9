package admission.required_labels_test

import data.admission.required_labels
import data.samples
import future.keywords

parameters := {
	"environment": "prod",
	"tenants": ["shop"],
	"exemptions": [{"kind": "Namespace", "name": "kube-*", "allows": ["missing", "environment"]}],
}

good := {
	"app.kubernetes.io/name": "checkout",
	"app.kubernetes.io/component": "function",
	"app.kubernetes.io/part-of": "wasm-functions",
	"environment": "prod",
}

tenants := object.union(good, {"wasm-functions.dev/tenant": "shop"})

said(object) := messages if {
	messages := required_labels.violation with input as samples.asked(object, parameters)
}

service(namespace, labels) := {"kind": "Service", "metadata": {"name": "s", "namespace": namespace, "labels": labels}}

namespace(name, labels) := {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}

test_labelled if {
	count(said(service("shop", tenants))) == 0
	count(said(service("gateway", good))) == 0
	count(said(namespace("shop", tenants))) == 0
	count(said(namespace("gateway", good))) == 0
}

test_each_missing_one if {
	count(said({"kind": "Service", "metadata": {"name": "s", "namespace": "gateway"}})) == 4
	count(said(service("gateway", object.union(good, {"app.kubernetes.io/name": ""})))) == 1
}

test_of_another_environment if count(said(service("gateway", object.union(good, {"environment": "dev"})))) == 1

test_of_another_tenant if {
	count(said(service("shop", good))) == 1
	count(said(service("shop", object.union(tenants, {"wasm-functions.dev/tenant": "billing"})))) == 1
	count(said(namespace("shop", good))) == 1
}

test_kubernetes_own_are_exempt if {
	count(said(namespace("kube-public", {}))) == 0
	count(said(namespace("kubes", {}))) == 4
}
