package admission.tenant_isolation_test

import data.admission.tenant_isolation
import data.samples
import future.keywords

rules(object) := [violation.details.rule | some violation in found] if {
	networks := ["10.42.0.0/16", "10.43.0.0/16"]
	parameters := {"tenants": ["shop", "billing"], "gateway": "gateway", "networks": networks}
	found := tenant_isolation.violation with input as samples.asked(object, parameters)
}

network(namespace, spec) := samples.made("NetworkPolicy", namespace, "n", spec)

named(namespace) := {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}

test_traffic_with_its_own_the_gateway_and_dns if {
	rules(network("shop", {"ingress": [{"from": [named("gateway"), {"podSelector": {}}]}]})) == []
	rules(network("shop", {"egress": [{"to": [named("kube-system"), {"ipBlock": {"cidr": "198.51.100.10/32"}}]}]})) == []
	rules(network("shop", {"podSelector": {}})) == []
}

test_traffic_with_others if {
	rules(network("shop", {"ingress": [{"from": [named("billing")]}]})) == ["peer"]
	rules(network("shop", {"egress": [{"to": [{"namespaceSelector": {}}]}]})) == ["peer"]
	rules(network("monitoring", {"egress": [{"to": [named("billing")]}]})) == []
}

test_traffic_with_anybody if {
	rules(network("shop", {"ingress": [{"ports": [{"port": 80}]}]})) == ["open"]
	rules(network("shop", {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]})) == ["open"]
	rules(network("gateway", {"ingress": [{}]})) == []
}

to(block) := network("shop", {"egress": [{"to": [{"ipBlock": block}]}]})

test_traffic_with_pods_by_their_addresses if {
	every cidr in ["10.42.0.0/16", "10.42.7.0/24", "10.42.7.9/32", "10.43.0.0/20", "what is this"] {
		"open" in rules(to({"cidr": cidr}))
	}
	count(rules(to({"cidr": "10.0.0.0/8"}))) == 2
	count(rules(to({"cidr": "10.0.0.0/8", "except": ["10.42.0.0/17", "10.43.0.0/16"]}))) == 1
	every block in [{"cidr": "10.0.0.0/8", "except": ["10.42.0.0/15"]}, {"cidr": "10.44.0.0/16"}, {"cidr": "2001:db8::/32"}] {
		rules(to(block)) == []
	}
}

external(name) := samples.made("Service", "shop", "s", {"type": "ExternalName", "externalName": name})

test_names_of_others if {
	rules(external("invoice.billing.svc.cluster.local")) == ["external-name"]
	rules(external("Invoice.Billing.SVC")) == ["external-name"]
	rules(external("checkout.shop.svc.cluster.local.")) == []
	rules(external("db.example.com")) == []
}

binding(kind, namespace, subject) := {
	"kind": kind,
	"metadata": object.union({"name": "b"}, {key: namespace | some key in ["namespace"]; namespace != ""}),
	"subjects": [subject],
}

account(namespace) := {"kind": "ServiceAccount", "name": "a", "namespace": namespace}

test_rights_in_a_tenants_namespace if {
	rules(binding("RoleBinding", "shop", account("shop"))) == []
	rules(binding("RoleBinding", "shop", account("gateway"))) == []
	rules(binding("RoleBinding", "shop", {"kind": "Group", "name": "shop-developers"})) == []
	rules(binding("RoleBinding", "shop", account("monitoring"))) == ["subject"]
	rules(binding("RoleBinding", "shop", {"kind": "User", "name": "system:serviceaccount:monitoring:prometheus"})) == ["subject"]
	rules(binding("RoleBinding", "shop", {"kind": "Group", "name": "system:serviceaccounts:monitoring"})) == ["subject"]
	rules(binding("RoleBinding", "shop", {"kind": "Group", "name": "system:serviceaccounts"})) == ["subject"]
}

test_rights_of_a_tenants_accounts if {
	sort(rules(binding("RoleBinding", "shop", account("billing")))) == ["account-elsewhere", "subject"]
	rules(binding("RoleBinding", "gateway", account("billing"))) == ["account-elsewhere"]
	rules(binding("ClusterRoleBinding", "", account("billing"))) == ["account-elsewhere"]
	rules(binding("ClusterRoleBinding", "", account("monitoring"))) == []
}

placed(term) := samples.deployment("shop", "checkout", {"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": term}]}}})

test_placement_by_others_pods if {
	rules(placed({"topologyKey": "zone"})) == []
	rules(placed({"namespaces": ["shop"]})) == []
	rules(placed({"namespaces": ["billing"]})) == ["affinity"]
	rules(placed({"namespaceSelector": {}})) == ["affinity"]
}
